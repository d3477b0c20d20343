import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import type { BufferPool } from './buffer-pool.ts';
import { partBytes } from './part-plan.ts';

/** A part ready to be sent. `buffer` goes back to the pool when that is done. */
export interface PartBody {
  readonly number: number;
  readonly body: Buffer;
  readonly buffer: Buffer;
  readonly integrity: Integrity;
}

export type Integrity =
  | { readonly kind: 'crc32' /** Base64, big-endian. */; readonly value: string }
  | { readonly kind: 'md5' /** Base64. */; readonly value: string };

/**
 * Cuts a stream into parts of the planned sizes; the last one is what remains. A stream without bytes
 * makes one empty part, because S3 completes no upload without parts. Sums are worked out piece by piece
 * (64 KiB), so that no event waits for 16 MiB of MD5 (20 ms).
 */
export async function* partsOf(
  source: Readable,
  kind: Integrity['kind'],
  pool: BufferPool,
  signal: AbortSignal,
): AsyncGenerator<PartBody> {
  let number = 1;
  let filling = await Filling.start(number, kind, pool, signal);
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; ) {
      at += filling.add(chunk.subarray(at));
      if (!filling.full) continue;
      yield filling.finish();
      number += 1;
      filling = await Filling.start(number, kind, pool, signal);
    }
  }
  if (filling.filled > 0 || number === 1) yield filling.finish();
}

class Filling {
  readonly #number: number;
  readonly #buffer: Buffer;
  readonly #sum: Sum;
  filled = 0;

  private constructor(number: number, buffer: Buffer, sum: Sum) {
    this.#number = number;
    this.#buffer = buffer;
    this.#sum = sum;
  }

  static async start(
    number: number,
    kind: Integrity['kind'],
    pool: BufferPool,
    signal: AbortSignal,
  ): Promise<Filling> {
    return new Filling(number, await pool.take(partBytes(number), signal), sumOf(kind));
  }

  get full(): boolean {
    return this.filled === this.#buffer.length;
  }

  /** Takes what fits and says how much that was. */
  add(chunk: Buffer): number {
    const piece = chunk.subarray(0, this.#buffer.length - this.filled);
    this.#buffer.set(piece, this.filled);
    this.#sum.update(piece);
    this.filled += piece.length;
    return piece.length;
  }

  finish(): PartBody {
    const body = this.#buffer.subarray(0, this.filled);
    return { number: this.#number, body, buffer: this.#buffer, integrity: this.#sum.finish() };
  }
}

interface Sum {
  update(piece: Buffer): void;
  finish(): Integrity;
}

function sumOf(kind: Integrity['kind']): Sum {
  if (kind === 'md5') {
    const hash = createHash('md5');
    return {
      update: (piece) => void hash.update(piece),
      finish: () => ({ kind, value: hash.digest('base64') }),
    };
  }
  let value = 0;
  return {
    update: (piece) => {
      value = crc32(piece, value);
    },
    finish: () => ({ kind, value: crc32Text(value) }),
  };
}

function crc32Text(value: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes.toString('base64');
}

/** The integrity of a small body at once. */
export function integrityOf(body: Buffer, kind: Integrity['kind']): Integrity {
  const sum = sumOf(kind);
  sum.update(body);
  return sum.finish();
}
