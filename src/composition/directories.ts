import { chmodSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import type { Config } from '../config.ts';
import { SluiceError } from '../errors/error.ts';
import { inDataDirectory } from '../work/data-directory.ts';
import { makeDirectory } from '../work/make-directory.ts';

type Settings = Pick<Config, 'dataDir' | 'filesRoot' | 'downloadsRoot' | 'databaseUrl' | 'clickhouseUrl'>;

/**
 * Makes the data directory and what belongs inside it. A root somewhere else is the administrator's to make: it may be
 * a disk that is not mounted yet. Throws `bad_configuration` where one is a file.
 */
export function makeDirectories({
  dataDir,
  filesRoot,
  downloadsRoot,
  databaseUrl,
  clickhouseUrl,
}: Settings): void {
  refuseFile('SLUICE_FILES_ROOT', filesRoot);
  refuseFile('SLUICE_DOWNLOADS_ROOT', downloadsRoot);
  inDataDirectory(dataDir, () => {
    makeDirectory(dataDir);
    if (isInside(filesRoot, dataDir)) makeDirectory(filesRoot);
    if (isInside(downloadsRoot, dataDir)) makeDirectory(downloadsRoot, 0o700);
    // The engines make their files as anybody's to read and some as anybody's to write. Not the data directory: others
    // read exports/.
    if (databaseUrl === undefined) makePrivate(join(dataDir, 'database'));
    if (clickhouseUrl === undefined) makePrivate(join(dataDir, 'warehouse'));
  });
}

function refuseFile(name: string, path: string): void {
  if (!isFile(path)) return;
  throw new SluiceError('bad_configuration', { detail: `${name} must be a directory; ${path} is a file.` });
}

/** Where one may not look, writing says what is wrong. */
function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

const isInside = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`);

/** Also one that an older version made. */
function makePrivate(path: string): void {
  makeDirectory(path, 0o700);
  try {
    chmodSync(path, 0o700);
  } catch {
    // It belongs to another user, or its file system knows no rights: whether it can be used, its engine tells.
  }
}
