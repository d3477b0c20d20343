import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Environment, loadConfig } from '../../src/config.ts';
import { startSluice } from '../../src/main.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';

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

const start = (port: number, env: Environment) =>
  startSluice(loadConfig({ port: String(port), dataDir }, env, dataDir), { log: pino({ level: 'silent' }) });

it('a first start that fails makes no key: the one that works shows it', async () => {
  const { port } = taken.address() as AddressInfo;
  await expect(start(0, { SLUICE_SECRET_KEY: 'short' })).rejects.toMatchObject({ code: 'bad_configuration' });
  await expect(start(port, {})).rejects.toMatchObject({
    code: 'bad_configuration',
    message: expect.stringContaining(`Port ${port} is in use`),
  });
  const sluice = await start(0, {});
  expect(sluice.ready.personal_api_key).toMatch(/^phx_/);
  await sluice.stop(0);
});
