import { Readable } from 'node:stream';
import { SluiceError } from '../errors/error.ts';
import { connectionError, findException, TAIL_BYTES } from './exception.ts';
import type { SilenceWatch } from './silence.ts';

export interface AnswerOptions {
  /** `X-ClickHouse-Exception-Tag` of the answer, when the server sent one. */
  readonly exceptionTag: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told of every byte; ends the answer when the server is taken for dead. Stopped with the answer. */
  readonly watch: SilenceWatch;
  /** Called when the reader leaves, or `signal` aborts, before the end. */
  readonly onAbandoned: () => void;
}

/**
 * The bytes of an HTTP answer, which end well only when the answer was complete: a broken connection,
 * an exception in the body or an abort destroys the stream with a SluiceError instead.
 */
export function guardAnswer(source: Readable, options: AnswerOptions): Readable {
  let tail: Buffer = Buffer.alloc(0);
  /** Nothing more will come, so nothing is left to stop. */
  let over = false;
  const fail = (error: SluiceError) => {
    over = true;
    answer.destroy(findException(tail, options.exceptionTag) ?? error);
  };
  const { watch } = options;
  const onDead = () => {
    over = true; // nobody is there to be asked to stop
    source.on('error', () => {});
    source.destroy();
    answer.destroy(watch.dead.reason as SluiceError);
  };
  const onAbort = () =>
    answer.destroy(new SluiceError('warehouse_cancelled', { cause: options.signal?.reason }));

  const answer = new Readable({
    highWaterMark: 256 * 1024,
    read: () => source.resume(),
    destroy: (error, done) => {
      options.signal?.removeEventListener('abort', onAbort);
      watch.dead.removeEventListener('abort', onDead);
      watch.stop();
      if (!over) {
        source.on('error', () => {}); // breaking it off makes it complain
        source.destroy();
        options.onAbandoned();
      }
      done(error);
    },
  });

  // It may break before its reader listens; reading it then fails all the same.
  answer.on('error', () => {});
  source.on('data', (chunk: Buffer) => {
    watch.heard();
    tail = lastBytes(tail, chunk);
    if (!answer.push(chunk)) source.pause();
  });
  source.on('end', () => {
    over = true;
    watch.stop();
    const exception = findException(tail, options.exceptionTag);
    if (exception) answer.destroy(exception);
    else answer.push(null);
  });
  source.on('error', (error) => {
    if (!over) fail(connectionError('the answer broke off', error));
  });
  source.on('close', () => {
    if (!over && !answer.destroyed) fail(connectionError('the answer broke off', undefined));
  });
  source.pause();
  watch.dead.addEventListener('abort', onDead, { once: true });
  if (options.signal?.aborted) onAbort();
  else options.signal?.addEventListener('abort', onAbort, { once: true });
  return answer;
}

/** Keeps references while chunks are large, so that a gigabyte costs no copying. */
function lastBytes(tail: Buffer, chunk: Buffer): Buffer {
  if (chunk.length >= TAIL_BYTES) return chunk.subarray(chunk.length - TAIL_BYTES);
  return Buffer.concat([tail.subarray(Math.max(0, tail.length + chunk.length - TAIL_BYTES)), chunk]);
}
