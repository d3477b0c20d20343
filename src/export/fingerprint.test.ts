import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addTallies, sameTally, UuidTally } from './fingerprint.ts';

const MODULUS = 1n << 64n;
const hex = (uuid: string) => BigInt(`0x${uuid.replaceAll('-', '')}`);

const tallyOfAll = (uuids: readonly string[]) => {
  const counter = new UuidTally();
  for (const uuid of uuids) expect(counter.add(Buffer.from(`xx${uuid}yy`), 2)).toBe(true);
  return counter.tally;
};

describe('the fingerprint of a set of uuids', () => {
  it('is the sums of the halves modulo 2^64', () => {
    fc.assert(
      fc.property(fc.array(fc.uuid()), (uuids) => {
        const sum = (half: (value: bigint) => bigint) =>
          (uuids.reduce((total, uuid) => total + half(hex(uuid)), 0n) % MODULUS).toString();
        expect(tallyOfAll(uuids)).toEqual({
          rows: uuids.length,
          fingerprint: { high: sum((value) => value >> 64n), low: sum((value) => value % MODULUS) },
        });
      }),
    );
  });

  it('does not depend on the order or on how the set is cut', () => {
    fc.assert(
      fc.property(fc.array(fc.uuid()), fc.array(fc.uuid()), (a, b) => {
        const parts = addTallies([tallyOfAll(b), tallyOfAll(a)]);
        expect(parts).toEqual(tallyOfAll([...a, ...b]));
      }),
    );
  });

  it('stays exact over the largest values', () => {
    const most = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    expect(tallyOfAll([most, most]).fingerprint).toEqual({ high: `${MODULUS - 2n}`, low: `${MODULUS - 2n}` });
  });

  it('refuses what is no uuid', () => {
    const counter = new UuidTally();
    for (const text of [
      '',
      'g'.repeat(36),
      '00000000-0000-0000-0000_000000000000',
      '00000000-0000-0000-0000-00000000000',
    ]) {
      expect(counter.add(Buffer.from(text), 0)).toBe(false);
    }
    expect(counter.tally.rows).toBe(0);
  });
});

it('compares fingerprints where both sides have one', () => {
  const a = { rows: 1, fingerprint: { high: '1', low: '2' } };
  expect(sameTally(a, { rows: 1, fingerprint: null })).toBe(true);
  expect(sameTally(a, { rows: 1, fingerprint: { high: '1', low: '3' } })).toBe(false);
  expect(sameTally(a, { rows: 2, fingerprint: null })).toBe(false);
});
