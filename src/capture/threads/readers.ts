import { SluiceError } from '../../errors/error.ts';
import { packing } from '../body.ts';
import type { Reader, SentRequest } from '../reader.ts';
import type { ReaderThread } from './open-thread.ts';

export interface ThreadedReader extends Reader {
  /** Ends the threads; what they have not read becomes `unavailable`. */
  close(): Promise<void>;
}

export interface ThreadedReaderPorts {
  /** Reads in the calling thread, and refuses what turns out to be larger than `threadBytes`. */
  readonly here: Reader;
  /** Starts a thread; `onLost` is told when it ended by itself. */
  open(onLost: (error: Error) => void): ReaderThread;
  /** Threads at most. */
  readonly threads: number;
  /** A request of about so many bytes, unpacked, is read in a thread. */
  readonly threadBytes: number;
  /** Told of every thread that ended by itself. */
  onLost(error: Error): void;
}

/**
 * Reads large requests in threads of their own, so that the server's thread has time for everybody else meanwhile, and small ones
 * here. A thread is started by the first request that finds none idle, and instead of one that was lost.
 */
export function readInThreads(ports: ThreadedReaderPorts): ThreadedReader {
  const threads = new Set<ReaderThread>();

  const start = (): ReaderThread => {
    const thread = ports.open((error) => {
      threads.delete(thread);
      ports.onLost(error);
    });
    threads.add(thread);
    return thread;
  };
  const idlest = (): ReaderThread => {
    const [first, ...others] = threads;
    if (!first) return start();
    const best = others.reduce((best, one) => (one.busy < best.busy ? one : best), first);
    return best.busy > 0 && threads.size < ports.threads ? start() : best;
  };

  return {
    read: async (request) => {
      if (aboutBytes(request) < ports.threadBytes) {
        try {
          return await ports.here.read(request);
        } catch (error) {
          if (!isTooLarge(error)) throw error;
        }
      }
      return idlest().read(request);
    },
    close: async () => void (await Promise.all([...threads].map((thread) => thread.close()))),
  };
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof SluiceError && error.code === 'request_too_large';

/** Events are an eighth of their size when packed; gzip says at its end how many bytes its last part holds. */
const PACKED = 8;
/** The shortest gzip file there is, bytes. */
const SHORTEST_GZIP = 18;

function aboutBytes({ content }: SentRequest): number {
  if (!('raw' in content)) return content.data.length;
  const { raw, contentEncoding } = content;
  const kind = packing(raw, contentEncoding);
  if (kind === undefined) return raw.length;
  if (kind !== 'gzip') return raw.length * PACKED;
  return raw.length < SHORTEST_GZIP ? raw.length : Math.max(raw.length, raw.readUInt32LE(raw.length - 4));
}
