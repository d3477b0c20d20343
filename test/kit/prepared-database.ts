import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { appendFile, cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PGlite } from '@electric-sql/pglite';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { openQueue } from '../../src/work/queue.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
/** What decides how a new database looks: PGlite, pg-boss, our tables, the queue's settings and ours for tests. */
const SOURCES = ['package-lock.json', 'src/work/queue.ts', 'test/kit/prepared-database.ts', ...migrations()];

/**
 * PGlite fills its shared memory with zeros at every start, byte by byte: 0.4 s of processor time for the usual 128 MB, and
 * no test has that many rows.
 */
const SETTINGS = '\nshared_buffers = 16MB\n';

/** `empty`: as PGlite makes it. `tables`: with ours and the queue's, as a server finds it at its second start. */
export type Prepared = 'empty' | 'tables';

/**
 * Puts a database where PGlite would make one, `database/` in a data directory. Making one takes over a second of
 * processor time, and the tables 0.35 s more; copying it 0.2 s. The first test that needs one keeps it below the
 * system's temporary directory. Does nothing where there is a database.
 */
export async function prepareDatabase(dataDir: string, prepared: Prepared = 'tables'): Promise<void> {
  const target = join(dataDir, 'database');
  if (existsSync(target)) return;
  const template = join(tmpdir(), `sluice-database-${prepared}-${fingerprint()}`);
  if (!existsSync(template)) await makeTemplate(template, prepared);
  await mkdir(dataDir, { recursive: true });
  await cp(template, target, { recursive: true });
}

/** A database with all tables in a directory of its own, which goes when it is closed. */
export async function openPreparedDatabase(): Promise<Database> {
  const dataDir = await mkdtemp(join(tmpdir(), 'sluice-prepared-'));
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  return {
    ...database,
    close: async () => {
      await database.close();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Under its name at once and whole, however many tests make it at the same time. */
async function makeTemplate(template: string, prepared: Prepared): Promise<void> {
  const made = await mkdtemp(`${template}-`);
  if (prepared === 'empty') await makeEmpty(join(made, 'database'));
  else await makeTables(made);
  await rename(join(made, 'database'), template).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
  await rm(made, { recursive: true });
}

async function makeEmpty(folder: string): Promise<void> {
  await (await PGlite.create(folder)).close();
  await appendFile(join(folder, 'postgresql.conf'), SETTINGS);
}

async function makeTables(dataDir: string): Promise<void> {
  await prepareDatabase(dataDir, 'empty');
  const errors: Error[] = [];
  const database = await openDatabase({ dataDir });
  const queue = await openQueue({
    engine: database.engine,
    databaseUrl: undefined,
    onError: (error) => errors.push(error),
  });
  await queue.stop(1000);
  await database.close();
  if (errors.length > 0) throw errors[0];
}

function migrations(): string[] {
  const folder = 'src/database/migrations';
  return readdirSync(join(PROJECT, folder)).map((name) => join(folder, name));
}

function fingerprint(): string {
  const hash = createHash('sha256');
  for (const source of SOURCES) hash.update(source).update(readFileSync(join(PROJECT, source)));
  return hash.digest('hex').slice(0, 16);
}
