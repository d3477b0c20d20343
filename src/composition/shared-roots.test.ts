import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Postgres, startPostgres } from '../../test/kit/postgres.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { lookAtRoots } from './shared-roots.ts';

let postgres: Postgres;
let database: Database;
let directory: string;
let downloadsRoot: string;
let warnings: string[];
beforeAll(async () => {
  postgres = await startPostgres();
  database = await openDatabase({ url: await postgres.createDatabase(), dataDir: '/nowhere' });
  directory = mkdtempSync(join(tmpdir(), 'sluice-roots-'));
});
afterAll(async () => {
  await database?.close();
  await postgres?.stop();
  rmSync(directory, { recursive: true });
});
beforeEach(async () => {
  await database.kysely.deleteFrom('instance').execute();
  downloadsRoot = root();
  warnings = [];
});

const root = () => mkdtempSync(join(directory, 'root-'));
const look = (filesRoot: string) => {
  const warn = (_: object, message: string) => void warnings.push(message);
  return lookAtRoots(database.kysely, { filesRoot, downloadsRoot }, { warn } as never);
};

it('says nothing while all see the same', async () => {
  const shared = root();
  await Promise.all([look(shared), look(shared), look(shared)]);
  await look(shared);
  expect(warnings).toEqual([]);
});

it('warns of a process with a directory of its own', async () => {
  await look(root());
  const other = root();
  await look(other);
  await look(other);
  expect(warnings).toEqual(Array(2).fill(expect.stringMatching(/^SLUICE_FILES_ROOT is not the directory/)));
});

it('goes by a mark that is there already', async () => {
  const shared = root();
  await look(shared);
  await database.kysely.deleteFrom('instance').execute();
  await look(shared);
  await look(root());
  expect(warnings).toHaveLength(1);
});

it('says nothing of a root that is not there, and marks it once it is', async () => {
  const later = join(directory, 'later');
  await look(later);
  await look(later);
  mkdirSync(later);
  await look(later);
  expect(warnings).toEqual([]);
  await look(root());
  expect(warnings).toHaveLength(1);
});
