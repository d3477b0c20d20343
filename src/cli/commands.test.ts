import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { openDatabase } from '../database/database.ts';
import { askDatabase } from './ask-database.ts';
import { loadCommands } from './commands.ts';

/** May be applied again. */
const LATER = '0020_first_organization.sql';
const directories: string[] = [];
afterAll(() => {
  for (const dataDir of directories) rmSync(dataDir, { recursive: true });
});

function newDirectory(): string {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-commands-'));
  directories.push(dataDir);
  return dataDir;
}

async function run(name: string, ...words: string[]): Promise<void> {
  vi.stubEnv('DATABASE_URL', '');
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  try {
    const [command] = await loadCommands(name);
    await command?.parseAsync(words, { from: 'user' });
  } finally {
    write.mockRestore();
    vi.unstubAllEnvs();
  }
}

it('no command but serve changes the tables of an older Sluice', async () => {
  const dataDir = newDirectory();
  await prepareDatabase(dataDir);
  const older = await openDatabase({ dataDir });
  await sql`delete from sluice_migrations where name = ${LATER}`.execute(older.kysely);
  await older.close();

  const refused = { code: 'made_by_older', message: expect.stringContaining(LATER) };
  // All commands on accounts open them in the same way.
  await expect(run('projects', 'list', '--data-dir', dataDir)).rejects.toMatchObject(refused);
  // What import and export ask.
  const projects = askDatabase({ dataDir, databaseUrl: undefined }, (db) =>
    db.selectFrom('projects').selectAll().execute(),
  );
  await expect(projects).rejects.toMatchObject(refused);

  const server = await openDatabase({ dataDir });
  await server.close();
  await run('projects', 'list', '--data-dir', dataDir);
});

it('the first organization can be made before the first start', async () => {
  const dataDir = newDirectory();
  await prepareDatabase(dataDir, 'empty');
  await run('organizations', 'create', '--name', 'Acme', '--data-dir', dataDir);
});
