import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { inDataDirectory } from './data-directory.ts';
import { lockDirectory } from './directory-lock.ts';
import { makeDirectory } from './make-directory.ts';

describe('a data directory that cannot be written to', () => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-data-directory-'));
  const file = join(directory, 'file');
  writeFileSync(file, '');
  afterAll(() => rmSync(directory, { recursive: true }));

  it.each([
    [file, 'it is a file (EEXIST)'],
    [join(file, 'below'), 'a part of the path is a file (ENOTDIR)'],
    ['/proc/sluice', 'the system lets nobody make it there (ENOENT)'],
  ])('%s', (path, why) => {
    const refusal = {
      code: 'data_dir_unwritable',
      message: expect.stringContaining(`${path} cannot be written to: ${why}`),
    };
    expect(() => inDataDirectory(path, () => makeDirectory(path))).toThrow(expect.objectContaining(refusal));
    expect(() => lockDirectory(join(path, 'database.lock'))).toThrow(expect.objectContaining(refusal));
  });

  it('leaves other errors and results alone', () => {
    const other = new Error('other');
    expect(() =>
      inDataDirectory(directory, () => {
        throw other;
      }),
    ).toThrow(other);
    expect(inDataDirectory(directory, () => 1)).toBe(1);
  });
});
