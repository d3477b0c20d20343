import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOfStream } from '../../growing-file.ts';
import { BufferPool } from './buffer-pool.ts';
import { backoffMs, deadlineMs, defaultLimits } from './limits.ts';
import { MAX_PART_BYTES, MAX_PARTS, partBytes } from './part-plan.ts';
import { integrityOf, type PartBody, partsOf } from './parts.ts';

const MIB = 1024 * 1024;
const signal = new AbortController().signal;

describe('the plan of part sizes', () => {
  it('keeps to the limits of S3 and never shrinks, for every part number', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_PARTS - 1 }), (number) => {
        expect(partBytes(number)).toBeGreaterThanOrEqual(5 * MIB);
        expect(partBytes(number)).toBeLessThanOrEqual(MAX_PART_BYTES);
        expect(partBytes(number + 1)).toBeGreaterThanOrEqual(partBytes(number));
      }),
      { seed: 7 },
    );
  });

  it('holds 5 TiB in 10,000 parts, and 15 GiB without growing', () => {
    let total = 0;
    for (let number = 1; number <= MAX_PARTS; number++) total += partBytes(number);
    expect(total).toBeGreaterThan(5 * 1024 ** 4);
    expect(partBytes(1000)).toBe(16 * MIB);
    expect(partBytes(1001)).toBe(32 * MIB);
  });
});

describe('cutting a stream', () => {
  async function cut(chunks: readonly Buffer[], kind: 'md5' | 'crc32'): Promise<PartBody[]> {
    const pool = new BufferPool(defaultLimits.bufferBytes);
    const parts: PartBody[] = [];
    for await (const part of partsOf(bytesOfStream(Readable.from(chunks)), kind, pool, signal)) {
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
