import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { ByteSource } from '../../growing-file.ts';
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

/** Summed in one go at most, so that no event waits for 16 MiB of MD5 (20 ms). */
const PIECE = 256 * 1024;

/**
 * Cuts bytes into parts of `size` (see `partBytes`); the last one is what remains. No bytes at all make one empty
 * part, because S3 completes no upload without parts.
 */
export async function* partsOf(
  source: ByteSource,
  kind: Integrity['kind'],
  size: number,
  pool: BufferPool,
  signal: AbortSignal,
): AsyncGenerator<PartBody> {
  for (let number = 1, ended = false; !ended; number++) {
    const buffer = await pool.take(partBytes(number, size), signal);
    const sum = sumOf(kind);
    let filled = 0;
    while (filled < buffer.length && !ended) {
      const read = await source(buffer.subarray(filled, filled + PIECE));
      sum.update(buffer.subarray(filled, filled + read));
      filled += read;
      ended = read === 0;
    }
    if (filled === 0 && number > 1) return;
    yield { number, body: buffer.subarray(0, filled), buffer, integrity: sum.finish() };
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
