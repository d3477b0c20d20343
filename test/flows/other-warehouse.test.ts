import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/work/clock.ts';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { startInProcess } from '../kit/sluice-in-process.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

let postgres: Postgres;
let warehouse: TestWarehouse;
let env: Record<string, string>;
beforeAll(async () => {
  [postgres, warehouse] = await Promise.all([startPostgres(), startTestWarehouse()]);
  env = {
    DATABASE_URL: await postgres.createDatabase(),
    SLUICE_SECRET_KEY: 'a secret of more than thirty-two bytes, for tests',
  };
});
afterAll(async () => {
  await warehouse?.close();
  await postgres?.stop();
});

const start = async (more: Record<string, string>) => startInProcess(systemClock, { ...env, ...more });

it('a process without the warehouse of the others on its database is refused, before it takes their runs', {
  timeout: 120_000,
}, async () => {
  const server = { CLICKHOUSE_URL: warehouse.url };
  const first = await start(server);
  const second = await start(server);
  const refused = {
    code: 'bad_configuration',
    message: expect.stringMatching(/CLICKHOUSE_URL.*SLUICE_ACCEPT/),
  };
  await expect(start({})).rejects.toMatchObject(refused);
  await Promise.all([first.stop(), second.stop()]);
  const moved = await start({ SLUICE_ACCEPT_WAREHOUSE: '1' });
  await moved.stop();
  await expect(start(server)).rejects.toMatchObject(refused);
});
