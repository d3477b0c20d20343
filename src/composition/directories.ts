import { mkdirSync } from 'node:fs';
import { sep } from 'node:path';
import type { Config } from '../config.ts';
import { inDataDirectory } from '../work/data-directory.ts';

/** Makes the data directory and what belongs inside it. A root somewhere else is the administrator's to make: it may be a disk that is not mounted yet. */
export function makeDirectories({
  dataDir,
  filesRoot,
  downloadsRoot,
}: Pick<Config, 'dataDir' | 'filesRoot' | 'downloadsRoot'>): void {
  inDataDirectory(dataDir, () => {
    mkdirSync(dataDir, { recursive: true });
    if (isInside(filesRoot, dataDir)) mkdirSync(filesRoot, { recursive: true });
    if (isInside(downloadsRoot, dataDir)) mkdirSync(downloadsRoot, { recursive: true, mode: 0o700 });
  });
}

const isInside = (path: string, directory: string): boolean => path.startsWith(`${directory}${sep}`);
