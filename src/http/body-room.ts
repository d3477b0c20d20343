import type { Readable } from 'node:stream';
import { SluiceError } from '../errors/error.ts';
import { GatheredBytes } from '../work/gathered-bytes.ts';

/** Twelve of the largest batches at once. */
const MOST_BYTES = 256 * 1024 * 1024;
const RETRY_AFTER_SECONDS = 5;

/** A body that is coming in. */
interface Arriving {
  readonly gathered: GatheredBytes;
  fail(error: SluiceError): void;
}

/**
 * The memory for bodies that have not come in whole yet, of all requests together: whoever holds their last byte back holds the
 * others. When it is full, the largest has to be sent again, so that somebody's many large ones keep no small one out.
 */
export class BodyRoom {
  readonly #mostBytes: number;
  readonly #arriving = new Set<Arriving>();
  #bytes = 0;

  constructor(mostBytes = MOST_BYTES) {
    this.#mostBytes = mostBytes;
  }

  /** Throws `tooLarge` above `most` bytes, `unavailable` when there is no room, `parse_error` when it breaks off. */
  async read(payload: Readable, most: number, tooLarge: () => SluiceError): Promise<Buffer> {
    const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
    const gathered = new GatheredBytes();
    const leave = () => {
      if (this.#arriving.delete(one)) this.#bytes -= gathered.length;
      payload.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      // What still comes is let through, and let go.
      payload.on('error', () => {}).resume();
    };
    const one: Arriving = {
      gathered,
      fail: (error) => {
        leave();
        reject(error);
      },
    };
    const onData = (chunk: Buffer) => {
      if (gathered.length + chunk.length > most) return one.fail(tooLarge());
      gathered.push(chunk);
      this.#bytes += chunk.length;
      if (this.#bytes > this.#mostBytes) this.#makeRoom();
    };
    const onEnd = () => {
      leave();
      resolve(gathered.bytes());
    };
    const onBroken = () => one.fail(new SluiceError('parse_error', { detail: 'The body breaks off.' }));
    this.#arriving.add(one);
    payload.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
    if (payload.destroyed) onBroken();
    return await promise;
  }

  #makeRoom(): void {
    const [first, ...others] = this.#arriving;
    const larger = (one: Arriving, other: Arriving) =>
      other.gathered.length > one.gathered.length ? other : one;
    if (first === undefined) return;
    others.reduce(larger, first).fail(
      new SluiceError('unavailable', {
        detail: 'More is being sent than can be received; send it again later.',
        retryAfter: RETRY_AFTER_SECONDS,
      }),
    );
  }
}

/** Lets a body pass that nobody reads. Throws `request_too_large` and `parse_error` as `read` does. */
export async function drain(payload: Readable, most: number): Promise<void> {
  let bytes = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const onBroken = () => reject(new SluiceError('parse_error', { detail: 'The body breaks off.' }));
  payload
    .on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > most) reject(new SluiceError('request_too_large'));
    })
    .on('end', resolve)
    .on('error', onBroken)
    .on('close', onBroken);
  if (payload.destroyed) onBroken();
  await promise;
}
