import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GatheredBytes } from './gathered-bytes.ts';

it('holds all pieces in order', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (pieces) => {
      const gathered = new GatheredBytes();
      for (const piece of pieces) gathered.push(piece);
      expect(gathered.bytes().equals(Buffer.concat(pieces))).toBe(true);
      expect(gathered.length).toBe(gathered.bytes().length);
    }),
  );
});

it('takes twice the memory of what came in single bytes, at most', () => {
  const gathered = new GatheredBytes();
  for (let n = 0; n < 100_000; n++) gathered.push(Uint8Array.of(n));
  expect(gathered.bytes().buffer.byteLength).toBeLessThanOrEqual(200_000);
});
