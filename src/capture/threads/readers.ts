import { SluiceError } from '../../errors/error.ts';
import { MAX_BODY_BYTES, packing } from '../body.ts';
import type { Client, Reader, SentRequest } from '../reader.ts';
import { WaitingLine } from './line.ts';
import type { ReaderThread } from './open-thread.ts';

export interface ThreadedReader extends Reader {
  /** Ends the threads; what they have not read becomes `unavailable`. */
  close(): Promise<void>;
}

export interface ThreadedReaderPorts {
  /**
   * Reads in the calling thread, and refuses what turns out to be larger than `threadBytes`, or to hold too much for
   * its size.
   */
  readonly here: Reader;
  /** Starts a thread; `onLost` is told when it ended by itself. */
  open(onLost: (error: Error) => void): ReaderThread;
  /** Threads at most. */
  readonly threads: number;
  /** A request of about so many bytes, unpacked, is read in a thread. */
  readonly threadBytes: number;
  /** So much may wait for a thread, bytes as unpacked; more is refused. Default: 256 MB, five seconds of reading. */
  readonly mostWaitingBytes?: number;
  /** Told of every thread that ended by itself. */
  onLost(error: Error): void;
}

const MOST_WAITING_BYTES = 256 * 1024 * 1024;
/** What a request says of its size need not be true, so each counts for a tenth of the largest. */
const LEAST_WAITING_BYTES = 2 * 1024 * 1024;
/** One that is read, and one that is there when that is done. All others wait here, where they can still be left unread. */
const MOST_AT_A_THREAD = 2;

/**
 * Reads large requests in threads of their own, so that the server's thread has time for everybody else meanwhile, and small ones
 * here. A thread is started by the first request that finds none idle, and instead of one that was lost. What finds all
 * of them busy waits: not more than `mostWaitingBytes`, nor longer than its client does.
 */
export function readInThreads(ports: ThreadedReaderPorts): ThreadedReader {
  const threads = new Set<ReaderThread>();
  const line = new WaitingLine(ports.mostWaitingBytes ?? MOST_WAITING_BYTES);

  const start = (): ReaderThread => {
    const thread = ports.open((error) => {
      threads.delete(thread);
      ports.onLost(error);
    });
    threads.add(thread);
    return thread;
  };
  const withRoom = (): ReaderThread | undefined => {
    const [first, ...others] = threads;
    if (!first) return start();
    const best = others.reduce((best, one) => (one.busy < best.busy ? one : best), first);
    if (best.busy > 0 && threads.size < ports.threads) return start();
    return best.busy < MOST_AT_A_THREAD ? best : undefined;
  };
  const handOut = (): void => {
    while (!line.isEmpty) {
      const thread = withRoom();
      if (!thread) return;
      const next = line.take();
      if (next) void thread.read(next.request).then(next.resolve, next.reject).finally(handOut);
    }
  };
  const readThere = (request: SentRequest, client?: Client) => {
    const bytes = Math.min(MAX_BODY_BYTES, Math.max(aboutBytes(request), LEAST_WAITING_BYTES));
    const reading = line.join(request, bytes, client);
    handOut();
    return reading;
  };

  return {
    read: async (request, client) => {
      if (aboutBytes(request) < ports.threadBytes) {
        try {
          return await ports.here.read(request);
        } catch (error) {
          if (!isTooLarge(error)) throw error;
        }
      }
      return await readThere(request, client);
    },
    close: async () => {
      line.close();
      await Promise.all([...threads].map((thread) => thread.close()));
    },
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
