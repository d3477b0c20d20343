import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPersonIds, personId } from './person-id.ts';

describe('personId', () => {
  it('is the UUIDv5 that PostHog derives', () => {
    // Computed with Python: uuid.uuid5(UUID('932979b4-65c3-4424-8467-0b66ec27bc22'), '1:user')
    expect(Buffer.from(personId(1, 'user')).toString('hex')).toBe('60160341b11a5f3e91e649846c4afaa3');
  });

  it('differs between projects', () => {
    expect(personId(1, 'user')).not.toEqual(personId(2, 'user'));
  });
});

it('remembered ids are the same as those made anew, however many there were', () => {
  const remembered = createPersonIds(3);
  const person = fc.tuple(
    fc.integer({ min: 1, max: 2 }),
    fc.constantFrom('a', 'b', 'c', 'd', 'e', '1:a', ''),
  );
  fc.assert(
    fc.property(fc.array(person), (people) => {
      for (const [team, id] of people) expect(remembered(team, id)).toEqual(personId(team, id));
    }),
  );
});

it('a remembered id keeps no more than itself of the request it was cut out of', () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const remembered = createPersonIds(1_000);
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < 200; n++) remembered(1, `${n} ${'x'.repeat(1_000_000)}`.slice(0, 200));
  gc();
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(50_000_000);
});
