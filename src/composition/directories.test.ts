import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeDirectories } from './directories.ts';

let parent: string;
let dataDir: string;
beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'sluice-directories-'));
  dataDir = join(parent, 'data');
});
afterEach(() => rmSync(parent, { recursive: true }));

const make = (changes: Partial<Parameters<typeof makeDirectories>[0]> = {}) =>
  makeDirectories({
    dataDir,
    filesRoot: join(dataDir, 'exports'),
    downloadsRoot: join(dataDir, 'downloads'),
    databaseUrl: undefined,
    clickhouseUrl: undefined,
    ...changes,
  });
const rights = (name: string) => statSync(join(dataDir, name)).mode & 0o777;
const PRIVATE = ['database', 'warehouse', 'downloads'];

it('nobody else enters what the engines keep, but the exports', () => {
  make();
  expect(PRIVATE.map(rights)).toEqual([0o700, 0o700, 0o700]);
  expect(rights('exports')).toBe(0o777 & ~process.umask());
  expect(rights('.')).toBe(0o777 & ~process.umask());
});

it('closes what an older version left open', () => {
  for (const name of ['database', 'warehouse']) {
    mkdirSync(join(dataDir, name), { recursive: true });
    chmodSync(join(dataDir, name), 0o777);
  }
  make();
  expect([rights('database'), rights('warehouse')]).toEqual([0o700, 0o700]);
});

it('makes no directory for engines that are elsewhere', () => {
  make({ databaseUrl: 'postgres://x', clickhouseUrl: 'http://x' });
  expect([existsSync(join(dataDir, 'database')), existsSync(join(dataDir, 'warehouse'))]).toEqual([
    false,
    false,
  ]);
});

it.each([
  ['SLUICE_FILES_ROOT', 'filesRoot'],
  ['SLUICE_DOWNLOADS_ROOT', 'downloadsRoot'],
])('%s that is a file is refused', (name, key) => {
  const file = join(parent, 'file');
  writeFileSync(file, '');
  expect(() => make({ [key]: file })).toThrow(
    expect.objectContaining({
      code: 'bad_configuration',
      message: `${name} must be a directory; ${file} is a file.`,
    }),
  );
});
