import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SluiceError } from '../errors/error.ts';
import { inDataDirectory } from '../work/data-directory.ts';
import { type DirectoryLock, lockDirectory } from '../work/directory-lock.ts';
import { makeDirectory } from '../work/make-directory.ts';

const MARK = 'made-by-sluice-demo';
/** Held by whoever runs on the directory, and by `sluice warehouse` alone. */
const LOCKS = ['database.lock', 'warehouse.lock'];

/**
 * Makes the directory of a demo, and removes what an earlier one left there, and nothing else. Throws
 * `bad_configuration` where it was not made by a demo, `data_dir_locked` while a Sluice runs on it.
 */
export function freshDirectory(dataDir: string): void {
  if (existsSync(dataDir)) {
    if (!existsSync(join(dataDir, MARK))) {
      throw new SluiceError('bad_configuration', {
        detail: `${dataDir} exists and was not made by a demo; choose another --data-dir.`,
      });
    }
    removeUnused(dataDir);
  }
  inDataDirectory(dataDir, () => {
    makeDirectory(dataDir);
    writeFileSync(join(dataDir, MARK), '');
  });
}

/** The locks are held meanwhile, so that nobody starts on a directory that is going. */
function removeUnused(dataDir: string): void {
  const locks: DirectoryLock[] = [];
  try {
    for (const name of LOCKS) locks.push(lockDirectory(join(dataDir, name)));
    rmSync(dataDir, { recursive: true });
  } finally {
    for (const lock of locks) lock.release();
  }
}
