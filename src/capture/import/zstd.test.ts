import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { isZstd, unpackZstd } from './zstd.ts';

async function* pieces(file: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

async function unpacked(file: Buffer, size = 65_536): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of unpackZstd(pieces(file, size))) parts.push(part);
  return Buffer.concat(parts).toString();
}

const pack = (text: string | Buffer, checksum = 0) =>
  zstdCompressSync(text, { params: { [constants.ZSTD_c_checksumFlag]: checksum } });

/** As pzstd has one before each of its frames. */
function skippable(content: Buffer, digit = 0): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + digit, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

it('reads all frames, wherever the pieces end, and skips what is to be skipped', async () => {
  const part = fc.record({
    text: fc.oneof(
      fc.string({ maxLength: 50 }),
      fc.nat(400_000).map((length) => 'x'.repeat(length)),
    ),
    checksum: fc.nat(1),
    skipped: fc.option(fc.uint8Array({ maxLength: 20 })),
    digit: fc.nat(15),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 1, max: 300 }),
      async (parts, size) => {
        const file = Buffer.concat(
          parts.flatMap(({ text, checksum, skipped, digit }) => [
            ...(skipped ? [skippable(Buffer.from(skipped), digit)] : []),
            pack(text, checksum),
          ]),
        );
        expect(isZstd(file)).toBe(true);
        expect(await unpacked(file, size)).toBe(parts.map(({ text }) => text).join(''));
      },
    ),
    { numRuns: 50 },
  );
});

it('reads frames of many blocks', async () => {
  const noise = Buffer.from(Array.from({ length: 600_000 }, (_, n) => (n * n * 31) % 251));
  const both = Buffer.concat([pack(noise), pack(noise, 1)]);
  expect(await unpacked(both)).toBe(Buffer.concat([noise, noise]).toString());
});

it.each([
  ['a second frame that is cut off', (file: Buffer) => file.subarray(0, file.length - 3)],
  ['a checksum that is cut off', (file: Buffer) => Buffer.concat([file, pack('x', 1).subarray(0, -1)])],
  ['a header that is cut off', (file: Buffer) => Buffer.concat([file, pack('x').subarray(0, 5)])],
  [
    'a frame to be skipped that is cut off',
    (file: Buffer) => Buffer.concat([file, skippable(Buffer.alloc(9)).subarray(0, -1)]),
  ],
  ['garbage behind the last frame', (file: Buffer) => Buffer.concat([file, Buffer.from('garbage')])],
  ['a byte behind the last frame', (file: Buffer) => Buffer.concat([file, Buffer.from([0])])],
])('refuses %s', async (_, damage) => {
  await expect(unpacked(damage(Buffer.concat([pack('first'), pack('second')])))).rejects.toThrow();
});
