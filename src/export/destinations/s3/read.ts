import { Readable } from 'node:stream';
import { GetObjectCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { SluiceError } from '../../../errors/error.ts';
import { MOST_SMALL_BYTES, type Published, type RereadableFile } from '../destination.ts';
import { AnsweredWith, type Calls, WrongAnswer } from './calls.ts';
import { absentIfForbidden } from './publish.ts';
import { bare } from './receipt.ts';

/** One request of a stream; the next one is under way while it is used: 16 MiB of memory. */
const WINDOW = 8 * 1024 * 1024;

/**
 * What was published a moment ago and is not there: not yet, at a store whose answers lag, or not any more, because somebody
 * has taken it away already. Nothing that a person must mend.
 */
const NOT_THERE = ['NoSuchKey', 'NotFound'];

/**
 * A published object as its readers get it. Every read is a range of its own, so that a broken connection
 * costs one window, and holds on to the ETag: an object replaced meanwhile is `verification_failed`, one that is gone
 * `destination_unavailable`.
 */
export async function reread(calls: Calls, published: Published): Promise<RereadableFile> {
  const order = { what: `Looking at ${published.key}`, again: NOT_THERE };
  const command = new HeadObjectCommand({ Bucket: calls.connection.bucket, Key: published.key });
  const head = await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  const size = head.ContentLength ?? 0;
  const tag = bare(head.ETag);
  if (published.tag !== null && tag !== published.tag) {
    throw new SluiceError('verification_failed', {
      detail: `${published.key} was replaced in the bucket before it was verified.`,
    });
  }
  const read = (start: number, end: number, signal?: AbortSignal) =>
    readRange(calls, published, start, Math.min(end, size), signal);
  return {
    bytes: size,
    path: null,
    read: (start, end) => read(start, end),
    stream: async (signal) => Readable.from(windows(size, read, signal), { objectMode: false }),
  };
}

/** A small object whole; null when there is none, or one of more than 16 MiB, `forbidden` when it may not be read. */
export async function getSmall(calls: Calls, key: string): Promise<Buffer | 'forbidden' | null> {
  const command = new GetObjectCommand({ Bucket: calls.connection.bucket, Key: key });
  const order = { what: `Reading ${key}`, bytes: MOST_SMALL_BYTES, answers: NOT_THERE };
  try {
    return await calls.run(order, async (abortSignal) => {
      const { Body, ContentLength = 0 } = await calls.client.send(command, { abortSignal });
      if (ContentLength <= MOST_SMALL_BYTES)
        return await collect(Body as Readable, ContentLength, abortSignal);
      (Body as Readable).destroy();
      return null;
    });
  } catch (error) {
    if (error instanceof AnsweredWith) return null;
    absentIfForbidden(error);
    return 'forbidden';
  }
}

async function* windows(
  size: number,
  read: (start: number, end: number, signal?: AbortSignal) => Promise<Buffer>,
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  const stop = new AbortController();
  const either = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const start = (at: number) => {
    const window = read(at, at + WINDOW, either);
    // Awaited in its turn; until then nobody listens.
    window.catch(() => {});
    return window;
  };
  try {
    let next = start(0);
    for (let at = 0; at < size; at += WINDOW) {
      const body = await next;
      if (at + WINDOW < size) next = start(at + WINDOW);
      yield body;
    }
  } finally {
    stop.abort();
  }
}

async function readRange(
  calls: Calls,
  { key, tag }: Published,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Buffer> {
  const length = end - start;
  if (length <= 0) return Buffer.alloc(0);
  const order = { what: `Reading ${key}`, bytes: length, signal, again: NOT_THERE };
  return await calls.run(order, async (abortSignal) => {
    const command = new GetObjectCommand({
      Bucket: calls.connection.bucket,
      Key: key,
      Range: `bytes=${start}-${end - 1}`,
      ...(tag === null ? {} : { IfMatch: `"${tag}"` }),
    });
    const { Body } = await calls.client.send(command, { abortSignal });
    const body = await collect(Body as Readable, length, abortSignal);
    if (body.length !== length) throw new WrongAnswer(`${body.length} bytes instead of ${length}`);
    return body;
  });
}

async function collect(source: Readable, length: number, signal: AbortSignal): Promise<Buffer> {
  const stop = () => source.destroy(new Error('stopped'));
  signal.addEventListener('abort', stop, { once: true });
  try {
    const body = Buffer.allocUnsafe(length);
    let at = 0;
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (at + chunk.length > length) throw new WrongAnswer('more bytes than asked for');
      body.set(chunk, at);
      at += chunk.length;
    }
    return body.subarray(0, at);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
