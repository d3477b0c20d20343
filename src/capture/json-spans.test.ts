import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { itemMembers, objectMembers, skipSpace, valueEnd } from './json-spans.ts';

describe('JSON spans', () => {
  it('finds every member of every object, whatever its white space', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ unit: 'binary' }), fc.jsonValue()),
        fc.nat(3),
        (value, indent) => {
          const text = ` ${JSON.stringify(value, null, indent)} `;
          const members = objectMembers(text, skipSpace(text, 0));
          expect(members.map(({ key }) => key)).toEqual(Object.keys(JSON.parse(text)));
          for (const { key, start, end } of members) {
            expect(JSON.parse(text.slice(start, end))).toEqual(JSON.parse(text)[key]);
          }
        },
      ),
    );
  });

  it('finds the members of every item of every array', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.nat(3), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        const found = [...itemMembers(text, 0)].map((members) =>
          members.map(({ key, start, end }) => [key, JSON.parse(text.slice(start, end))]),
        );
        const isObject = (item: unknown) => typeof item === 'object' && item !== null && !Array.isArray(item);
        const parsed = JSON.parse(text) as unknown[];
        expect(found).toEqual(parsed.map((item) => (isObject(item) ? Object.entries(item as object) : [])));
      }),
    );
  });

  it('keeps duplicates, decodes escaped keys and stops at the right quote', () => {
    const text = '{"a":1,"a":"\\\\","\\u0061b":"x\\\\\\"}","c":[]}';
    expect(objectMembers(text, 0).map(({ key, start, end }) => [key, text.slice(start, end)])).toEqual([
      ['a', '1'],
      ['a', '"\\\\"'],
      ['ab', '"x\\\\\\"}"'],
      ['c', '[]'],
    ]);
  });

  it('follows a million brackets without a stack', () => {
    const text = `${'['.repeat(1e6)}${']'.repeat(1e6)}`;
    expect(valueEnd(text, 0)).toBe(2e6);
  });
});
