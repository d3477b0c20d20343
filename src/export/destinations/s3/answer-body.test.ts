import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import { collectAnswer } from './answer-body.ts';

const chunked = (count: number, size: number) => {
  let n = 0;
  return Readable.from(
    (function* () {
      for (; n < count; n++) yield Buffer.alloc(size, n);
    })(),
    { objectMode: false },
  );
};

it.each([
  [0, 1],
  [3, 1],
  [50_000, 1],
  [2, 30_000],
  [128, 65_536],
])('%i chunks of %i bytes are all there, in order', async (count, size) => {
  const body = await collectAnswer(chunked(count, size));
  expect(body.length).toBe(count * size);
  expect(body.every((byte, at) => byte === Math.floor(at / size) % 256)).toBe(true);
});

it('of a body without an end it takes 8 MiB, and lets go of it', async () => {
  const endless = chunked(Number.POSITIVE_INFINITY, 65_536);
  await expect(collectAnswer(endless)).rejects.toThrow('An answer of more than 8388608 bytes.');
  expect(endless.destroyed).toBe(true);
});
