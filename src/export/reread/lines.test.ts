import fc from 'fast-check';
import { expect, it } from 'vitest';
import { LineScanner } from './lines.ts';

const line = (uuid: string, rest: string, changed = false) =>
  `{"uuid":"${uuid}","${changed ? 'timestamp' : 'event'}":"${rest}"}\n`;

it('finds every line wherever the chunks are cut', () => {
  const lines = fc.array(fc.tuple(fc.uuid(), fc.string({ unit: 'grapheme' }), fc.boolean()), {
    maxLength: 8,
  });
  fc.assert(
    fc.property(lines, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (rows, sizes) => {
      const bytes = Buffer.from(
        rows.map(([uuid, rest, changed]) => line(uuid, rest.replaceAll('\n', ' '), changed)).join(''),
      );
      const scanner = new LineScanner();
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const size = sizes[n % sizes.length] as number;
        scanner.push(bytes.subarray(at, at + size));
        at += size;
      }
      const { tally, cleaned } = scanner.end();
      expect(tally.rows).toBe(rows.length);
      expect(cleaned).toBe(rows.filter(([, , changed]) => changed).length);
    }),
  );
});

it('refuses a file that ends in the middle of a line', () => {
  const whole = line('00000000-0000-4000-8000-000000000001', 'x');
  for (const cut of [1, 20, whole.length - 1]) {
    const scanner = new LineScanner();
    scanner.push(Buffer.from(whole.slice(0, cut)));
    expect(() => scanner.end()).toThrow('not complete');
  }
});

it('refuses a line of another shape', () => {
  expect(() => new LineScanner().push(Buffer.from(`{"id":1}${' '.repeat(80)}\n`))).toThrow('uuid');
});
