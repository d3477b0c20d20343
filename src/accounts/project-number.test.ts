import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import type { Database } from '../database/database.ts';
import { type Accounts, createAccounts } from './accounts.ts';

let database: Database;
let accounts: Accounts;
let organizationId: string;

beforeAll(async () => {
  database = await openPreparedDatabase();
  accounts = createAccounts({
    db: database.kysely,
    clock: { now: () => 1_800_000_000_000 },
    random: randomBytes,
  });
  organizationId = await accounts.createOrganization({ name: 'Acme', userId: null });
});
afterAll(() => database.close());

const create = (number?: number) =>
  accounts.createProject({
    organizationId,
    name: `project ${number}`,
    userId: null,
    ...(number !== undefined && { number }),
  });

it('a chosen number is the project’s, and all that follow are above the highest', async () => {
  expect(await create(1), 'before the first start, too').toBe(1);
  expect((await accounts.bootstrap(undefined)).projectId).toBe(2);
  expect(await create(42)).toBe(42);
  expect(await create()).toBe(43);
  expect(await create(5)).toBe(5);
  expect(await create()).toBe(44);
  expect(await accounts.findProjectById(42)).toMatchObject({ organizationId, name: 'project 42' });
});

it('those made at the same time get others', async () => {
  const made = await Promise.all([create(101), create(), create(100), create()]);
  expect(new Set(made).size).toBe(4);
  expect(made[0]).toBe(101);
  expect(await create()).toBeGreaterThan(101);
});

it('one that is taken, and what is no number of a project, is refused', async () => {
  await expect(create(42)).rejects.toMatchObject({
    code: 'unique',
    message: 'There is a project 42 already, "project 42".',
  });
  for (const number of [0, -1, 1.5, 1_000_000_000, Number.NaN]) {
    await expect(create(number)).rejects.toMatchObject({ code: 'invalid_input' });
  }
});
