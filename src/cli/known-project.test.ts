import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventRow, insertEvents } from '../../test/engine/fixture.ts';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { startTestWarehouse, type TestWarehouse } from '../../test/kit/warehouse.ts';
import { createAccounts } from '../accounts/accounts.ts';
import { openDatabase } from '../database/database.ts';
import { systemClock } from '../work/clock.ts';
import { requirePart } from './installation.ts';
import { refuseUnknownProject } from './known-project.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-known-'));
const where = { dataDir, databaseUrl: undefined, clickhouseUrl: undefined };
const WITH_EVENTS = 7;
let warehouse: TestWarehouse;

beforeAll(async () => {
  warehouse = await startTestWarehouse();
  await insertEvents(warehouse.warehouse, WITH_EVENTS, [eventRow(1)]);
});
afterAll(async () => {
  await warehouse.close();
  rmSync(dataDir, { recursive: true });
});

const check = (id: number, force = false) => refuseUnknownProject(id, force, where, warehouse.warehouse);

it('without a database nobody knows; a directory without one is refused by its name, and stays as it is', async () => {
  await check(99);
  for (const part of ['database', 'warehouse'] as const) {
    expect(() => requirePart(part, where)).toThrow(expect.objectContaining({ code: 'bad_configuration' }));
    expect(() => requirePart(part, where)).toThrow(`${dataDir} holds no Sluice`);
    expect(existsSync(join(dataDir, part))).toBe(false);
  }
  requirePart('database', { ...where, databaseUrl: 'postgres://x' });
  requirePart('warehouse', { ...where, clickhouseUrl: 'http://x' });
});

it('a project that does not exist is refused, and one that nobody can see while a server runs', async () => {
  await prepareDatabase(dataDir);
  requirePart('database', where);
  const database = await openDatabase({ dataDir });
  const accounts = createAccounts({
    db: database.kysely,
    clock: systemClock,
    random: (n) => Buffer.alloc(n),
  });
  await accounts.bootstrap(undefined);
  // Held, as by a running server.
  await check(1);
  await check(WITH_EVENTS);
  await expect(check(99)).rejects.toMatchObject({
    code: 'data_dir_locked',
    message: expect.stringContaining('--force'),
  });
  await check(99, true);
  await database.close();

  await check(1);
  await expect(check(99)).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringMatching(/^There is no project 99\. There are: 1\. .*--force/),
  });
});
