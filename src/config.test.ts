import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Environment, loadConfig, type ServeOptions, settingNames } from './config.ts';

const load = (options: ServeOptions = {}, env: Environment = {}) => loadConfig(options, env, '/srv');

/** What a script passes on when a variable of its own is not set. */
const NAMES = settingNames();

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
    ['--log-level', { logLevel: 'loud' }, {}],
    ['SLUICE_LOG_LEVEL', {}, { SLUICE_LOG_LEVEL: 'loud' }],
    ['--port', { port: 'x' }, {}],
    ['SLUICE_PORT', {}, { SLUICE_PORT: 'x' }],
  ])('names %s where the mistake is', (name, options, env) => {
    expect(() => load(options, env)).toThrow(new RegExp(`^${name} must be`));
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

  it.each(['SLUICE_READ_BACK', 'RATE_LIMIT_ENABLED', 'SLUICE_LEGACY_S3'])(
    '%s is on, off or refused',
    (name) => {
      const of = (text: string) => {
        const { readBack, rateLimitEnabled, legacyS3 } = load({}, { [name]: text });
        return readBack || rateLimitEnabled || legacyS3;
      };
      for (const on of ['1', 'true', 'YES', ' On ']) expect(of(on)).toBe(true);
      for (const off of ['0', 'false', 'No', 'off', '']) expect(of(off)).toBe(false);
      for (const other of ['enabled', '2', 'y', ' '])
        expect(() => of(other)).toThrow(expect.objectContaining({ code: 'bad_configuration' }));
    },
  );

  it.each(['minio', '*', '*.lan', '10.0.0.0/8', '::1', '[::1]', 'fd00::/8', 'a_b.c-d.', 'Minio, 127.0.0.1'])(
    'allows the hosts %s',
    (text) => {
      expect(load({}, { SLUICE_ALLOWED_HOSTS: text }).allowedHosts).toEqual(text.toLowerCase().split(', '));
    },
  );

  it.each(['http://minio', 'minio:9000', 'a,10.0.0.0/33', 'minio/x', 'x*', '*.*', 'fd00::/129', 'a b'])(
    'refuses the hosts %s, which could never match',
    (text) => {
      const refusal = { code: 'bad_configuration', message: expect.stringContaining('SLUICE_ALLOWED_HOSTS') };
      expect(() => load({}, { SLUICE_ALLOWED_HOSTS: text })).toThrow(expect.objectContaining(refusal));
    },
  );

  it('takes a blank for no number', () => {
    const refusal = { code: 'bad_configuration', message: expect.stringContaining('from 0 to 65535') };
    expect(() => load({}, { SLUICE_PORT: ' ' })).toThrow(expect.objectContaining(refusal));
  });
});

/** What a setting says of its limits when it is far beyond them; null for one that is no whole number. */
function limitsOf(name: string): string | null {
  try {
    load({}, { [name]: '99999999999999999999' });
  } catch (error) {
    const [, min, max] = /whole number from (\d+) to (\d+)/.exec((error as Error).message) ?? [];
    if (min !== undefined) return [min, max].map((text) => Number(text).toLocaleString('en-US')).join(' to ');
  }
  return null;
}

describe('docs/guide.md', () => {
  it('tells the limits of every whole number', () => {
    const guide = readFileSync(new URL('../docs/guide.md', import.meta.url), 'utf8');
    // Ports and numbers of projects; and four of which one sentence tells.
    const elsewhere =
      /^(SLUICE_PORT|RATE_LIMITING_ALLOW_LIST_TEAMS)$|_TIMEOUT_SECONDS$|^SLUICE_RETRY_SECONDS$/;
    for (const name of NAMES.filter((one) => !elsewhere.test(one))) {
      const limits = limitsOf(name);
      const rows = guide.split('\n').filter((line) => line.startsWith(`| \`${name}\` | `));
      if (limits !== null) expect(rows.join('\n'), name).toMatch(new RegExp(`\\b${limits}\\b`));
    }
    expect(guide).toContain(`All take ${limitsOf('SLUICE_RETRY_SECONDS')}.`);
  });

  it('has every setting in its table, and no other', () => {
    const guide = readFileSync(new URL('../docs/guide.md', import.meta.url), 'utf8');
    const [, section = ''] = guide.split('\n## All settings\n');
    const [table = ''] = section.split('\n## ');
    const rows = table.split('\n').filter((line) => line.startsWith('| `'));
    const named = rows.flatMap((row) => row.split(' | ')[0]?.match(/[A-Z_0-9]{4,}/g) ?? []);
    expect(named.toSorted()).toEqual(settingNames().toSorted());
  });
});
