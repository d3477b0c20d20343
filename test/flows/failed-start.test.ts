import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Environment, loadConfig } from '../../src/config.ts';
import { openPgliteThread } from '../../src/database/embedded/pglite-thread.ts';
import { startSluice } from '../../src/main.ts';
import { startEmbeddedWarehouse } from '../../src/warehouse/embedded/start.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { silent } from '../kit/warehouse.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-main-'));
const taken = createServer();
beforeAll(async () => {
  await prepareDatabase(dataDir);
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
afterAll(() => {
  taken.close();
  rmSync(dataDir, { recursive: true });
});

const logged: string[] = [];
const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) });
const start = (port: number, env: Environment) =>
  startSluice(loadConfig({ port: String(port), dataDir }, env, dataDir), { log });

/** May be applied again. */
const LATER = '0020_first_organization.sql';
const FUTURE = '9999_future.sql';

/** The migrations that the database has, after `change`. */
async function migrations(change: string): Promise<string[]> {
  const pglite = await openPgliteThread(join(dataDir, 'database'));
  await pglite.exec(change);
  const { rows } = await pglite.query<{ name: string }>('select name from sluice_migrations');
  await pglite.close();
  return rows.map(({ name }) => name);
}

async function tablesOfWarehouse(): Promise<unknown[]> {
  const { warehouse, close } = await startEmbeddedWarehouse({ dataDir, port: 0, memory: 1e9, log: silent });
  try {
    return await warehouse.rows({ sql: 'SELECT name FROM system.tables WHERE database = currentDatabase()' });
  } finally {
    await close();
  }
}

it('a first start that fails makes no key and changes no table: the one that works does', async () => {
  await migrations(`delete from sluice_migrations where name = '${LATER}'`);
  const { port } = taken.address() as AddressInfo;
  await expect(start(0, { SLUICE_SECRET_KEY: 'short' })).rejects.toMatchObject({ code: 'bad_configuration' });
  await expect(start(port, {})).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringContaining(`Port ${port} is in use`),
  });
  const before = await migrations(`insert into sluice_migrations (name) values ('${FUTURE}')`);
  expect(before).not.toContain(LATER);
  await expect(start(0, {})).rejects.toMatchObject({ code: 'made_by_newer' });
  expect(await tablesOfWarehouse()).toEqual([]);
  expect(logged.filter((line) => line.includes('up to date'))).toEqual([]);

  await migrations(`delete from sluice_migrations where name = '${FUTURE}'`);
  const sluice = await start(0, {});
  expect(sluice.ready.personal_api_key).toMatch(/^phx_/);
  await sluice.stop(0);
  expect(logged.filter((line) => line.includes('up to date'))).toEqual([expect.stringContaining(LATER)]);
});
