import { sep } from 'node:path';
import type { Config } from '../config.ts';
import { inDataDirectory } from '../work/data-directory.ts';
import { makeDirectory } from '../work/make-directory.ts';

/** Makes the data directory and what belongs inside it. A root somewhere else is the administrator's to make: it may be a disk that is not mounted yet. */
export function makeDirectories({
  dataDir,
  filesRoot,
  downloadsRoot,
}: Pick<Config, 'dataDir' | 'filesRoot' | 'downloadsRoot'>): void {
  inDataDirectory(dataDir, () => {
    makeDirectory(dataDir);
    if (isInside(filesRoot, dataDir)) makeDirectory(filesRoot);
    if (isInside(downloadsRoot, dataDir)) makeDirectory(downloadsRoot, 0o700);
  });
}

const isInside = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`);
