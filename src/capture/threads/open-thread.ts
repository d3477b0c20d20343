import { type ResourceLimits, Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors/error.ts';
import { systemClock } from '../../work/clock.ts';
import { compileCache } from '../../work/compile-cache.ts';
import { withinLimit } from '../../work/within-limit.ts';
import type { Reader, ReaderPorts, ReadRequest, SentRequest } from '../reader.ts';
import { asBuffer, errorOf, type FromThread, failureOf, type ToThread } from './protocol.ts';

/** One thread that reads captured requests, one after the other. */
export interface ReaderThread extends Reader {
  /** Requests that it was given and has not read. */
  readonly busy: number;
  /** What it has not read becomes `unavailable`. */
  close(): Promise<void>;
}

const RETRY_AFTER_SECONDS = 5;

export interface ThreadLimits {
  /** What one request may take, milliseconds; the first of a thread that is loaded with it, too. */
  readonly requestMs: number;
  /** How long a request waits to learn whose its key is, milliseconds: the others wait with it. */
  readonly keyMs: number;
}

/** 20 MB take a third of a second; on a machine that is busy with forty other things, ten. */
const LIMITS: ThreadLimits = { requestMs: 30_000, keyMs: 5_000 };

/**
 * Starts one; requests wait until it is loaded. When it ends, be it for want of memory or because a request takes too
 * long, what it has not read is `unavailable`, to be sent again, and `onLost` is told, unless it was closed. A key of which
 * the database says nothing for long is `database_unavailable`. It keeps no process from ending.
 */
export function openReaderThread(
  projectByKey: ReaderPorts['projectByKey'],
  onLost: (error: Error) => void,
  resourceLimits: ResourceLimits = {},
  limits: ThreadLimits = LIMITS,
): ReaderThread {
  const worker = new Worker(new URL('./reader-thread.ts', import.meta.url), {
    env: { ...process.env, ...compileCache() },
    resourceLimits,
  });
  worker.unref();
  const waiting = new Map<number, PromiseWithResolvers<ReadRequest>>();
  let given = 0;
  let lost: Error | null = null;
  let closing = false;

  let limit: NodeJS.Timeout | undefined;
  /** From the moment at which the thread turns to it, since it reads one after the other. */
  const limitNext = () => {
    clearTimeout(limit);
    if (waiting.size === 0) return;
    limit = setTimeout(() => {
      onEnd(new Error(`a captured request was not read within ${limits.requestMs / 1000} s`));
      void worker.terminate();
    }, limits.requestMs).unref();
  };
  const tell = (message: ToThread, transfer: ArrayBuffer[] = []) => worker.postMessage(message, transfer);
  const answer = async (id: number, key: string): Promise<void> => {
    try {
      const project = await withinLimit(systemClock, limits.keyMs, projectByKey(key), databaseAway);
      tell({ id, project: project && { id: project.id } });
    } catch (error) {
      tell({ id, failure: failureOf(error) });
    }
  };
  const onEnd = (cause: Error) => {
    if (lost) return;
    lost = cause;
    clearTimeout(limit);
    for (const one of waiting.values()) one.reject(unread(cause));
    waiting.clear();
    if (!closing) onLost(cause);
  };
  worker.on('error', onEnd);
  worker.on('exit', (code) => onEnd(new Error(`the thread that reads captured events ended (${code})`)));
  worker.on('message', (message: FromThread) => {
    if ('key' in message) return void answer(message.id, message.key);
    const one = waiting.get(message.id);
    waiting.delete(message.id);
    limitNext();
    if ('failure' in message) one?.reject(errorOf(message.failure));
    else {
      const { rows, results } = message.read;
      one?.resolve({ rows: { ...rows, bytes: asBuffer(rows.bytes) }, results });
    }
  });

  return {
    get busy() {
      return waiting.size;
    },
    read: async (request) => {
      if (lost) throw unread(lost);
      const id = ++given;
      const own = ownBody(request);
      tell({ id, request: own.request }, own.transfer);
      const one = Promise.withResolvers<ReadRequest>();
      waiting.set(id, one);
      if (waiting.size === 1) limitNext();
      return await one.promise;
    },
    close: async () => {
      closing = true;
      await worker.terminate();
    },
  };
}

const databaseAway = () => new SluiceError('database_unavailable', { retryAfter: RETRY_AFTER_SECONDS });

const unread = (cause: Error): SluiceError =>
  new SluiceError('unavailable', {
    detail: 'The events could not be read; send them again.',
    retryAfter: RETRY_AFTER_SECONDS,
    cause,
  });

/** A body may be a piece of memory that it shares with others; only a copy can be handed over. */
function ownBody(request: SentRequest): { request: SentRequest; transfer: ArrayBuffer[] } {
  if (!('raw' in request.content)) return { request, transfer: [] };
  const raw = asBuffer(new Uint8Array(request.content.raw));
  return { request: { ...request, content: { ...request.content, raw } }, transfer: [raw.buffer] };
}
