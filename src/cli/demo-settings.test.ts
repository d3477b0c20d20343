import { expect, it } from 'vitest';
import { demoSettings } from './demo-settings.ts';

const settings = (env: Readonly<Record<string, string>>, dataDir = 'demo') =>
  demoSettings({ port: '0', dataDir }, env, '/home/ada');

it.each([
  ['DATABASE_URL', 'postgres://production/sluice'],
  ['CLICKHOUSE_URL', 'http://production:8123'],
  ['SLUICE_DATA_DIR', '/var/lib/sluice'],
  ['SLUICE_FILES_ROOT', '/mnt/exports'],
  ['SLUICE_DOWNLOADS_ROOT', '/mnt/downloads'],
  ['SLUICE_SECRET_KEY', 'k'.repeat(32)],
  ['SLUICE_BOOTSTRAP_PERSONAL_API_KEY', 'phx_production'],
  ['SLUICE_ALLOWED_HOSTS', '*'],
  ['SLUICE_CLOSED_GATES', 'high-frequency-batch-exports'],
  ['SLUICE_SETTLE_SECONDS', '600'],
  ['RATE_LIMIT_ENABLED', '1'],
  ['SLUICE_JITTER', '1'],
])('a demo does not take %s from the shell', (name, value) => {
  expect(settings({ [name]: value })).toEqual(settings({}));
});

it('a demo keeps everything below its directory, on embedded engines', () => {
  expect(settings({})).toMatchObject({
    databaseUrl: undefined,
    clickhouseUrl: undefined,
    dataDir: '/home/ada/demo',
    filesRoot: '/home/ada/demo/exports',
    downloadsRoot: '/home/ada/demo/downloads',
    jitterScale: 0,
  });
});

it('a demo takes what suits it to the machine', () => {
  const env = { SLUICE_HOST: '0.0.0.0', SLUICE_WAREHOUSE_MEMORY: '500000000' };
  expect(settings(env)).toMatchObject({ host: '0.0.0.0', warehouseMemory: 5e8 });
});

it('a demo does not take the current directory for its own', () => {
  expect(() => settings({}, '')).toThrow('--data-dir must not be empty.');
});
