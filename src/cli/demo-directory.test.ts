import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from '../work/directory-lock.ts';
import { freshDirectory } from './demo-directory.ts';

describe('the directory of a demo', () => {
  let parent: string;
  let dataDir: string;
  let kept: string;

  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'sluice-demo-directory-'));
    dataDir = join(parent, 'demo');
    kept = join(dataDir, 'database', 'kept');
  });
  afterEach(() => rmSync(parent, { recursive: true }));

  /** What an earlier demo leaves. */
  function earlier(): void {
    freshDirectory(dataDir);
    mkdirSync(join(dataDir, 'database'));
    writeFileSync(kept, '');
  }

  it('is made anew', () => {
    earlier();
    freshDirectory(dataDir);
    expect(readdirSync(dataDir)).toEqual(['made-by-sluice-demo']);
  });

  it.each(['database.lock', 'warehouse.lock'])('stays while a process holds %s', (name) => {
    earlier();
    const lock = lockDirectory(join(dataDir, name));
    const refusal = {
      code: 'data_dir_locked',
      message: expect.stringContaining(`${dataDir} is in use by another Sluice process (pid ${process.pid})`),
    };
    expect(() => freshDirectory(dataDir)).toThrow(expect.objectContaining(refusal));
    expect(existsSync(kept)).toBe(true);
    lock.release();
    freshDirectory(dataDir);
    expect(existsSync(kept)).toBe(false);
  });

  it('goes when its demo died', () => {
    earlier();
    // Above what Linux gives to processes.
    writeFileSync(join(dataDir, 'database.lock'), JSON.stringify({ pid: 2 ** 22 + 1, started: '1' }));
    freshDirectory(dataDir);
    expect(readdirSync(dataDir)).toEqual(['made-by-sluice-demo']);
  });

  it('is no directory of another kind', () => {
    mkdirSync(dataDir);
    expect(() => freshDirectory(dataDir)).toThrow('was not made by a demo');
    expect(readdirSync(dataDir)).toEqual([]);
  });
});
