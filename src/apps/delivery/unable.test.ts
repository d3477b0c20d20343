import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import type { AppsPorts } from '../ports.ts';
import { isTheirs, tellUnable } from './unable.ts';

/** A database that nobody may touch. */
const untouched = { db: null, clock: { now: () => 0 } } as unknown as AppsPorts;
const lease = { id: 'a', epoch: 1 };

it.each([
  ['the database is away', new SluiceError('database_unavailable')],
  ['a driver gives up', new Error('Connection terminated unexpectedly')],
])('people are not told that %s', async (_, error) => {
  expect(isTheirs(error)).toBe(false);
  await expect(tellUnable(untouched, lease, error)).resolves.toBeUndefined();
});

it('they are told what they must mend', () => {
  expect(isTheirs(new SluiceError('secret_unreadable'))).toBe(true);
});
