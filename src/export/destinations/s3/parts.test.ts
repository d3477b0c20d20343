import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfStream } from '../../growing-file.ts';
import { BufferPool } from './buffer-pool.ts';
import { backoffMs, deadlineMs, defaultLimits } from './limits.ts';
import { EVEN_PARTS, MAX_PART_BYTES, MAX_PARTS, partBytes, partSize } from './part-plan.ts';
import { integrityOf, type PartBody, partsOf } from './parts.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;

describe('the plan of part sizes', () => {
  const TIB = 1024 ** 4;
  const capacity = (size: number): number =>
    Array.from({ length: MAX_PARTS }, (_, n) => partBytes(n + 1, size)).reduce((sum, bytes) => sum + bytes);

  it('is one size for a file of up to twice the expected bytes, within the limits of S3', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 5 * TIB, noNaN: true }), (expected) => {
        const size = partSize(expected);
        expect(size).toBeGreaterThanOrEqual(5 * MIB);
        expect(size).toBeLessThanOrEqual(MAX_PART_BYTES);
        const parts = Math.max(1, Math.ceil((2 * expected) / size));
        expect(parts).toBeLessThanOrEqual(MAX_PARTS);
        expect(partBytes(parts, size)).toBe(size);
      }),
      { seed: 7 },
    );
  });

  it('is 16 MiB for 70 GiB, and a 4,500th of larger files', () => {
    expect(partSize(70 * 1024 * MIB)).toBe(16 * MIB);
    expect(partSize(TIB)).toBe(234 * MIB);
  });

  it('grows only for what is far larger than was expected', () => {
    expect(partBytes(EVEN_PARTS, 16 * MIB)).toBe(16 * MIB);
    expect(partBytes(EVEN_PARTS + 1, 16 * MIB)).toBe(32 * MIB);
    expect(capacity(partSize(TIB))).toBeGreaterThan(4 * TIB);
  });
});

describe('cutting a stream', () => {
  async function cut(chunks: readonly Buffer[], kind: 'md5' | 'crc32'): Promise<PartBody[]> {
    const pool = new BufferPool(defaultLimits.bufferBytes);
    const parts: PartBody[] = [];
    for await (const part of partsOf(bytesOfStream(Readable.from(chunks)), kind, partSize(0), pool, signal)) {
      parts.push({ ...part, body: Buffer.from(part.body) });
      pool.give(part.buffer);
    }
    return parts;
  }

  it('gives the same bytes in parts of the planned sizes, however they arrive', async () => {
    const length = fc.oneof(fc.constantFrom(0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1), fc.nat(40 * MIB));
    await fc.assert(
      fc.asyncProperty(length, fc.integer({ min: 100_000, max: 20 * MIB }), async (bytes, step) => {
        const whole = Buffer.alloc(bytes, 'abcdefg');
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes; at += step) chunks.push(whole.subarray(at, at + step));
        const parts = await cut(chunks, 'md5');
        expect(parts.map(({ number }) => number)).toEqual(parts.map((_part, index) => index + 1));
        expect(parts).toHaveLength(Math.max(1, Math.ceil(bytes / (16 * MIB))));
        expect(Buffer.concat(parts.map(({ body }) => body)).equals(whole)).toBe(true);
        for (const { body, integrity } of parts) {
          expect(integrity.value).toBe(createHash('md5').update(body).digest('base64'));
        }
      }),
      { numRuns: 12, seed: 11 },
    );
  });

  it('sums with CRC32 as the catalogue of algorithms says', async () => {
    const [part] = await cut([Buffer.from('1234'), Buffer.from('56789')], 'crc32');
    expect(Buffer.from(part?.integrity.value ?? '', 'base64').toString('hex')).toBe('cbf43926');
    expect(integrityOf(Buffer.from('123456789'), 'crc32')).toEqual(part?.integrity);
  });
});

describe('the pool of buffers', () => {
  it('makes a taker wait for the budget, and two at least', async () => {
    const pool = new BufferPool(30);
    const taken = [await pool.take(10, signal), await pool.take(10, signal), await pool.take(10, signal)];
    let waited = true;
    const fourth = pool.take(10, signal).then((buffer) => {
      waited = false;
      return buffer;
    });
    await Promise.resolve();
    expect(waited).toBe(true);
    pool.give(taken[0] as Buffer);
    expect(await fourth).toBe(taken[0]);
    const large = new BufferPool(1);
    await large.take(10, signal);
    await large.take(10, signal);
  });

  it('lets a taker go when it is stopped', async () => {
    const pool = new BufferPool(1);
    await pool.take(10, signal);
    await pool.take(10, signal);
    const stop = new AbortController();
    const waiting = pool.take(10, stop.signal);
    stop.abort(new Error('cancelled'));
    await expect(waiting).rejects.toThrow('cancelled');
  });
});

describe('patience', () => {
  it('waits randomly below a doubling, capped bound, for every try', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (attempt, random) => {
          const wait = backoffMs(defaultLimits, attempt, () => random);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(Math.min(20_000, 400 * 2 ** (attempt - 1)));
        },
      ),
      { seed: 3 },
    );
  });

  it('gives a part of 16 MiB five minutes', () => {
    expect(deadlineMs(defaultLimits, 16 * MIB)).toBe(60_000 + 256_000);
  });
});
