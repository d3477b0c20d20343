import { describe, expect, it } from 'vitest';
import { type Environment, loadConfig, type ServeOptions } from './config.ts';

const load = (options: ServeOptions = {}, env: Environment = {}) => loadConfig(options, env, '/srv');

/** What a script passes on when a variable of its own is not set. */
const NAMES = [
  ...['SLUICE_HOST', 'SLUICE_PORT', 'SLUICE_DATA_DIR', 'CLICKHOUSE_URL', 'DATABASE_URL', 'SLUICE_SECRET_KEY'],
  ...['SLUICE_LOG_LEVEL', 'SLUICE_BOOTSTRAP_PERSONAL_API_KEY', 'SLUICE_FILES_ROOT', 'SLUICE_ALLOWED_HOSTS'],
  ...[
    'SLUICE_CONCURRENCY',
    'SLUICE_SETTLE_SECONDS',
    'SLUICE_READ_BACK',
    'RATE_LIMIT_ENABLED',
    'SLUICE_JITTER',
  ],
  ...['RATE_LIMITING_ALLOW_LIST_TEAMS', 'SLUICE_BACKFILL_PARALLELISM', 'SLUICE_MAX_BACKFILLS'],
  ...['SLUICE_DOWNLOADS_ROOT', 'SLUICE_MAX_FILE_DOWNLOADS', 'SLUICE_DOWNLOAD_LINK_SECONDS'],
  ...['SLUICE_DOWNLOAD_KEEP_SECONDS', 'SLUICE_LOG_KEEP_DAYS', 'SLUICE_CLOSED_GATES', 'SLUICE_LEGACY_S3'],
  ...['SLUICE_WAREHOUSE_MEMORY', 'SLUICE_WAREHOUSE_TIMEOUT_SECONDS', 'SLUICE_DATABASE_TIMEOUT_SECONDS'],
  ...['SLUICE_DESTINATION_TIMEOUT_SECONDS', 'SLUICE_RETRY_SECONDS', 'SLUICE_TRUST_PROXY'],
];

describe('the configuration', () => {
  it('of nothing listens on this machine alone, and keeps its files below the current directory', () => {
    expect(load()).toMatchObject({
      host: '127.0.0.1',
      port: 8010,
      dataDir: '/srv/.sluice',
      filesRoot: '/srv/.sluice/exports',
      clickhouseUrl: undefined,
      databaseUrl: undefined,
    });
  });

  it('takes options before variables', () => {
    const env = { SLUICE_HOST: '::', SLUICE_PORT: '1', SLUICE_DATA_DIR: 'a' };
    expect(load({}, env)).toMatchObject({ host: '::', port: 1, dataDir: '/srv/a' });
    const options = { host: '::1', port: '2', dataDir: 'b' };
    expect(load(options, env)).toMatchObject({ host: '::1', port: 2, dataDir: '/srv/b' });
  });

  it.each(NAMES)('%s, when empty, counts as unset', (name) => {
    expect(load({}, { [name]: '' })).toEqual(load());
  });

  it.each([
    ['--host', { host: '' }],
    ['--port', { port: '' }],
    ['--data-dir', { dataDir: '' }],
  ])('%s must not be empty', (name, options) => {
    const refusal = { code: 'bad_configuration', message: `${name} must not be empty.` };
    expect(() => load(options)).toThrow(expect.objectContaining(refusal));
  });

  it.each([
    ['0', 0],
    ['2', 2],
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.0/8, fd00::/8,::1', ['10.0.0.0/8', 'fd00::/8', '::1']],
  ])('believes the proxies %s', (text, trustProxy) => {
    expect(load({}, { SLUICE_TRUST_PROXY: text })).toMatchObject({ trustProxy });
  });

  it.each(['true', '-1', '101', '10.0.0.0/33', '10.0.0.0/0', '10.0.0.0/8/8', '10.0.0.0/', 'proxy.local'])(
    'believes no proxies %s',
    (text) => {
      const refusal = { code: 'bad_configuration', message: expect.stringContaining('SLUICE_TRUST_PROXY') };
      expect(() => load({}, { SLUICE_TRUST_PROXY: text })).toThrow(expect.objectContaining(refusal));
    },
  );

  it('takes a blank for no number', () => {
    const refusal = { code: 'bad_configuration', message: expect.stringContaining('from 0 to 65535') };
    expect(() => load({}, { SLUICE_PORT: ' ' })).toThrow(expect.objectContaining(refusal));
  });
});
