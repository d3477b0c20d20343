import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseUuid } from './uuid.ts';

const UUID = /^[\da-f]{8}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{12}$/i;

const group = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: length, maxLength: length });
const dash = fc.constantFrom('-', '');
const uuid = fc
  .tuple(group(8), dash, group(4), dash, group(4), dash, group(4), dash, group(12))
  .map((parts) => parts.join(''));
/** One with a character too many, too few, or another one. */
const spoilt = fc
  .tuple(uuid, fc.nat(36), fc.nat(1), fc.constantFrom('', '-', 'g', ' ', '\0', 'ａ', '0'))
  .map(([text, at, cut, put]) => text.slice(0, at) + put + text.slice(at + cut));

it('reads 32 digits with or without any of the four dashes, and nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(uuid, spoilt, fc.string()), (text) => {
      const expected = UUID.test(text) ? text.replaceAll('-', '').toLowerCase() : null;
      const bytes = parseUuid(text);
      expect(bytes && Buffer.from(bytes).toString('hex')).toBe(expected);
    }),
    { numRuns: 1_000 },
  );
});
