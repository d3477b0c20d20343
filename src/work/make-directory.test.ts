import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { makeDirectory } from './make-directory.ts';

const root = mkdtempSync(join(tmpdir(), 'sluice-make-directory-'));
afterAll(() => rmSync(root, { recursive: true }));

it('makes what is missing above it, with the mode', () => {
  const path = join(root, 'a', 'b', 'c');
  makeDirectory(path, 0o700);
  expect(statSync(path).mode & 0o777).toBe(0o700);
});

it('leaves a directory as it is, behind a link too', () => {
  const path = join(root, 'there');
  mkdirSync(path, 0o755);
  symlinkSync(path, join(root, 'link'));
  makeDirectory(path, 0o700);
  makeDirectory(join(root, 'link'));
  expect(statSync(path).mode & 0o777).toBe(0o755);
});

it.each([
  ['file', 'EEXIST'],
  ['file/below', 'ENOTDIR'],
  ['dangling', 'EEXIST'],
])('refuses %s with %s', (name, code) => {
  writeFileSync(join(root, 'file'), '');
  rmSync(join(root, 'dangling'), { force: true });
  symlinkSync(join(root, 'nowhere'), join(root, 'dangling'));
  expect(() => makeDirectory(join(root, name))).toThrow(expect.objectContaining({ code }));
});

it.runIf(process.platform === 'linux')('returns where the parent refuses with ENOENT', () => {
  expect(() => makeDirectory('/proc/sluice/data')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
