import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';

const BLOCK = 1 << 20;

/** Bytes that look random and are the same for the same seed; beyond 1 MiB the first MiB repeats. */
export function bytesOf(seed: number, length: number): Buffer {
  const block = blockOf(seed, Math.min(length, BLOCK));
  return Buffer.concat(
    Array.from({ length: Math.ceil(length / BLOCK) }, () => block),
    length,
  );
}

/** A stream of `length` bytes in uneven chunks, made while it is read. */
export function streamOf(seed: number, length: number): Readable {
  return Readable.from(chunks(seed, length), { objectMode: false, highWaterMark: 1 << 16 });
}

/** SHA-256, hex, of what `streamOf(seed, length)` carries. */
export function digestOf(seed: number, length: number): string {
  const hash = createHash('sha256');
  for (const chunk of chunks(seed, length)) hash.update(chunk);
  return hash.digest('hex');
}

function* chunks(seed: number, length: number): Generator<Buffer> {
  const block = blockOf(seed, Math.min(length, BLOCK));
  let size = 1;
  for (let at = 0; at < length; ) {
    const from = at % block.length;
    const until = Math.min(from + size, block.length, from + length - at);
    yield block.subarray(from, until);
    at += until - from;
    size = (size * 7 + 4099) % 200_003;
  }
}

/** xorshift32 */
function blockOf(seed: number, length: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2654435761 + 1) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return Buffer.from(words.buffer, 0, length);
}
