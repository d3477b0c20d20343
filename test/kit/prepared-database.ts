import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';

/**
 * Puts an empty database where PGlite would make one, `database/` in a data directory. Making one takes it over a
 * second of processor time, copying one a twentieth: what an empty one looks like depends on PGlite's version only, so
 * the first test that needs it keeps it below the system's temporary directory. Does nothing where there is one.
 */
export async function prepareDatabase(dataDir: string): Promise<void> {
  const target = join(dataDir, 'database');
  if (existsSync(target)) return;
  const template = join(tmpdir(), `sluice-empty-database-${await pgliteVersion()}`);
  if (!existsSync(template)) await makeTemplate(template);
  await mkdir(dataDir, { recursive: true });
  await cp(template, target, { recursive: true });
}

/** Under its name at once and whole, however many tests make it at the same time. */
async function makeTemplate(template: string): Promise<void> {
  const made = await mkdtemp(`${template}-`);
  const pglite = await PGlite.create(made);
  await pglite.close();
  await rename(made, template).catch(async (error: NodeJS.ErrnoException) => {
    await rm(made, { recursive: true });
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
}

async function pgliteVersion(): Promise<string> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite');
  const manifest = JSON.parse(await readFile(join(entry, '../../package.json'), 'utf8'));
  return String((manifest as { version: unknown }).version);
}
