import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import type { Database } from '../database/database.ts';
import { type Accounts, createAccounts } from './accounts.ts';

const EMAIL = 'admin@sluice.local';
const KEY = 'phx_a_key_that_only_tests_use_0123456789abcdef';
let database: Database;
let accounts: Accounts;
let first: Awaited<ReturnType<Accounts['bootstrap']>>;

beforeAll(async () => {
  database = await openPreparedDatabase();
  accounts = createAccounts({
    db: database.kysely,
    clock: { now: () => 1_800_000_000_000 },
    random: randomBytes,
  });
  await otherTenant('made before the first start');
  first = await accounts.bootstrap(undefined);
});
afterAll(() => database.close());

/** As it was after the first start. */
beforeEach(async () => {
  const { organizationId } = first;
  await accounts.joinOrganization({ email: EMAIL, organizationId, level: 'owner' });
  await accounts.setActive(await accounts.findUserId(EMAIL), true);
});

async function otherTenant(name: string) {
  const organizationId = await accounts.createOrganization({ name, userId: null });
  return { organizationId, projectId: await accounts.createProject({ organizationId, name, userId: null }) };
}

const leave = async (organizationId = first.organizationId) =>
  accounts.leaveOrganization(await accounts.findUserId(EMAIL), organizationId);
const found = () => ({ ...first, personalApiKey: null });

it('a start finds the first project whether or not the first person is still in its organization', async () => {
  expect(await accounts.bootstrap(undefined)).toEqual(found());
  await leave();
  expect(await accounts.bootstrap(undefined)).toEqual(found());
  const { organizationId } = await otherTenant('where they went');
  await accounts.joinOrganization({ email: EMAIL, organizationId, level: 'owner' });
  expect(await accounts.bootstrap(undefined)).toEqual(found());
  await leave(organizationId);
});

it('a given key that opens nothing is said to', async () => {
  const warning = async () => (await accounts.bootstrap(KEY)).warning;
  expect(await warning()).toBeNull();
  await accounts.setActive(await accounts.findUserId(EMAIL), false);
  expect(await warning()).toContain(`opens nothing until \`sluice users activate ${EMAIL}\``);
  await accounts.setActive(await accounts.findUserId(EMAIL), true);
  await leave();
  expect(await warning()).toContain('opens no project');
});

it('of a first organization without a project, the lowest of the others; of none at all, a sentence', async () => {
  const { kysely } = database;
  const other = await otherTenant('the others');
  const lowest = Math.min(...(await accounts.listProjects()).map(({ id }) => id));
  await kysely.updateTable('users').set({ current_project_id: null }).execute();
  await kysely.deleteFrom('activity_log').execute();
  await kysely.deleteFrom('projects').where('id', '=', first.projectId).execute();
  expect(await accounts.bootstrap(undefined)).toMatchObject({ projectId: lowest });

  await kysely.deleteFrom('projects').where('id', '<', other.projectId).execute();
  expect(await accounts.bootstrap(undefined)).toMatchObject(other);
  await kysely.deleteFrom('projects').execute();
  await expect(accounts.bootstrap(undefined)).rejects.toMatchObject({ code: 'bad_configuration' });
});
