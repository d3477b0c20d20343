import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type EventRow, encodeRows, stampRows } from './rows.ts';

/** RowBinary read back: a length as LEB128, then so many bytes. */
function readText(bytes: Buffer, at: number): { text: string; end: number } {
  let length = 0;
  let position = at;
  for (let factor = 1; ; factor *= 128) {
    const byte = bytes[position++] ?? 0;
    length += (byte & 0x7f) * factor;
    if (byte < 0x80) break;
  }
  const end = position + length;
  return { text: bytes.toString('utf8', position, end), end };
}

const row = (event: string, properties: string): EventRow => ({
  uuid: new Uint8Array(16).fill(1),
  event,
  properties,
  timestampMicros: 1,
  distinctId: 'd',
  elementsChain: '',
  createdAtMicros: 2,
  personId: new Uint8Array(16).fill(2),
  personProperties: '{}',
  personMode: 'full',
});

/** Around the lengths at which LEB128 takes a byte more, in characters of one, two, three and four bytes. */
const text = fc
  .tuple(
    fc.constantFrom('a', 'é', '€', '👋', '\ud800'),
    fc.constantFrom(0, 1, 31, 42, 63, 127, 128, 4_096, 5_462, 8_192, 16_383, 16_384, 65_535, 65_537),
    fc.string({ unit: 'binary', maxLength: 5 }),
  )
  .map(([unit, count, tail]) => unit.repeat(count) + tail);

it('texts of any length and alphabet come back', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 }), (texts) => {
      const rows = encodeRows(
        7,
        texts.map(([event, properties]) => row(event, properties)),
      );
      stampRows(rows.bytes, 0, rows, 3_000_000);
      let at = 0;
      for (const [event, properties] of texts) {
        const first = readText(rows.bytes, at + 16);
        const second = readText(rows.bytes, first.end);
        expect([first.text, second.text]).toEqual([event.toWellFormed(), properties.toWellFormed()]);
        at = second.end + 8 + 8 + 2 + 1 + 8 + 16 + 3 + 1 + 13;
      }
      expect(at).toBe(rows.bytes.length);
    }),
  );
});
