import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledQuery, Kysely, PostgresDialect } from 'kysely';
import { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAccounts } from '../../src/accounts/accounts.ts';
import { listBackfills } from '../../src/batch-exports/backfills/list.ts';
import { listExports } from '../../src/batch-exports/list.ts';
import { readLog } from '../../src/batch-exports/logs.ts';
import { listRuns } from '../../src/batch-exports/runs/list.ts';
import { openDatabase } from '../../src/database/database.ts';
import { pgliteDialect } from '../../src/database/embedded/dialect.ts';
import type { Tables } from '../../src/database/tables.ts';
import { systemClock } from '../../src/work/clock.ts';
import { FIRST_EXPORT, fillDatabase } from '../kit/many-exports.ts';
import { type Postgres, startPostgres } from '../kit/postgres.ts';
import { prepareDatabase } from '../kit/prepared-database.ts';
import { MASTER_KEY, seededBytes } from './start-api.ts';

const AMOUNTS = { exports: 240, runsEach: 12, runsOfFirst: 400, backfillsOfFirst: 120, logLinesOfFirst: 400 };

interface Opened {
  readonly db: Kysely<Tables>;
  /** Of the queries since the last call. */
  plans(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** The planner may do without an index only where there is none to use. */
const ONLY_INDEXES =
  'set enable_seqscan = off; set enable_bitmapscan = off; set enable_sort = off; set enable_incremental_sort = on';

async function openEmbedded(): Promise<Opened> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-plans-'));
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  if (!('pglite' in database.engine)) throw new Error('not embedded');
  const { pglite } = database.engine;
  await fill(database.kysely);
  await pglite.exec(ONLY_INDEXES);
  const queries: CompiledQuery[] = [];
  const db = new Kysely<Tables>({
    dialect: pgliteDialect(pglite),
    log: ({ query }) => void queries.push(query),
  });
  return {
    db,
    plans: () =>
      explained(queries, async (sql, parameters) => (await pglite.query(sql, [...parameters])).rows),
    close: async () => {
      await database.close();
      rmSync(dataDir, { recursive: true });
    },
  };
}

async function openServer(postgres: Postgres): Promise<Opened> {
  const url = await postgres.createDatabase();
  const database = await openDatabase({ url, dataDir: '' });
  await fill(database.kysely);
  await database.close();
  const pool = new Pool({ connectionString: url, max: 1 });
  // The server may be stopped before it reads that the connection is over.
  pool.on('error', () => {});
  await pool.query(ONLY_INDEXES);
  const queries: CompiledQuery[] = [];
  const db = new Kysely<Tables>({
    dialect: new PostgresDialect({ pool }),
    log: ({ query }) => void queries.push(query),
  });
  return {
    db,
    plans: () => explained(queries, async (sql, parameters) => (await pool.query(sql, [...parameters])).rows),
    close: () => db.destroy(),
  };
}

async function fill(db: Kysely<Tables>): Promise<void> {
  const accounts = createAccounts({ db, clock: systemClock, random: seededBytes('plans') });
  const { projectId } = await accounts.bootstrap(MASTER_KEY);
  expect(projectId).toBe(1);
  await fillDatabase(db, projectId, AMOUNTS, Date.now());
}

type Ask = (sql: string, parameters: readonly unknown[]) => Promise<readonly unknown[]>;

async function explained(queries: CompiledQuery[], ask: Ask): Promise<readonly string[]> {
  const plans: string[] = [];
  for (const { sql, parameters } of queries.splice(0)) {
    const rows = await ask(`explain ${sql}`, parameters);
    plans.push(rows.map((row) => (row as { 'QUERY PLAN': string })['QUERY PLAN']).join('\n'));
  }
  return plans;
}

type List = (db: Kysely<Tables>) => Promise<unknown>;

const exportsFrom =
  (offset: number): List =>
  async (db) => {
    const { items } = await listExports(db, [1], { limit: 10, offset });
    expect(items).toHaveLength(10);
    expect(Math.max(...items.map((item) => item.latest_runs.length))).toBe(10);
  };

type RunsQuery = Parameters<typeof listRuns>[3];

const runs =
  (query: RunsQuery, pages = 1): List =>
  async (db) => {
    const project = { id: 1, organizationId: '', name: '', timezone: 'UTC' };
    let url = new URL('http://localhost/');
    for (let page = 0; page < pages; page++) {
      const { next } = await listRuns({ db, clock: systemClock }, project, FIRST_EXPORT, query, url);
      expect(next).toMatch(/cursor=/);
      url = new URL(String(next));
    }
  };

const backfills =
  (ordering: string | undefined): List =>
  async (db) => {
    const url = new URL('http://localhost/');
    const first = await listBackfills({ db, clock: systemClock }, 1, FIRST_EXPORT, ordering, url);
    await listBackfills({ db, clock: systemClock }, 1, FIRST_EXPORT, ordering, new URL(String(first.next)));
  };

const log =
  (filter: Partial<Parameters<typeof readLog>[1]>): List =>
  async (db) => {
    const lines = await readLog(db, { teamId: 1, exportId: FIRST_EXPORT, levels: [], limit: 20, ...filter });
    expect(lines.length).toBeGreaterThan(0);
  };

const wide = { after: '-1y', start: '-10y' };
const RUN = '00000001-0001-4000-8000-000000000001';

/** What a person looks at (contract.md §4.2, §6, §7.2, §8.2), page by page. */
const LISTS: readonly (readonly [string, List, index?: string])[] = [
  ['exports', exportsFrom(0)],
  ['the last exports', exportsFrom(230)],
  ['runs, three pages', runs({}, 3)],
  ['runs, oldest first, three pages', runs({ ...wide, ordering: 'created_at' }, 3)],
  ['runs by interval, three pages', runs({ ...wide, ordering: '-data_interval_start' }, 3)],
  ['runs by interval, oldest first, three pages', runs({ ...wide, ordering: 'data_interval_start' }, 3)],
  ['completed runs', runs({ status: ['Completed'] } as RunsQuery, 2)],
  ['backfills', backfills(undefined)],
  ['backfills by start', backfills('-start_at')],
  ['backfills by start, oldest first', backfills('start_at')],
  ['the log of an export', log({})],
  ['the log of a run', log({ runId: RUN }), 'log_entries_run'],
  ['lines of a level since a moment', log({ levels: ['ERROR'], after: new Date(0) })],
  ['a text in the errors', log({ levels: ['ERROR'], search: 'slice 3' }), 'log_entries_level'],
];

describe('lists are read in the order of an index', () => {
  let postgres: Postgres;
  const opened = new Map<string, Opened>();

  beforeAll(async () => {
    postgres = await startPostgres();
    opened.set('PGlite', await openEmbedded());
    opened.set('Postgres', await openServer(postgres));
  });
  afterAll(async () => {
    for (const one of opened.values()) await one.close();
    await postgres.stop();
  });

  describe.each(['PGlite', 'Postgres'])('%s', (name) => {
    it.each(LISTS.map(([title, list, index = 'Index']) => ({ title, list, index })))(
      '$title',
      async ({ list, index }) => {
        const { db, plans } = opened.get(name) as Opened;
        await list(db);
        const found = await plans();
        expect(found.length).toBeGreaterThan(0);
        for (const plan of found) {
          expect(plan).not.toMatch(/Seq Scan/);
          // Of the few rows of a page, or of those that share a moment.
          expect(plan.replace(/Sort {2}\(cost=.*\n\s+Sort Key: run\.created_at.*/, '')).not.toMatch(
            /-> {2}Sort |^Sort /m,
          );
          expect(plan).toMatch(/Index (Only )?Scan/);
          expect(plan).toContain(index);
        }
      },
    );

    it.each([
      [101, 0],
      [230, 5],
      [1000, 100],
    ])('a page of %i exports from the %ith on is what smaller ones are together', async (limit, offset) => {
      const { db, plans } = opened.get(name) as Opened;
      const page = await listExports(db, [1], { limit, offset });
      const smaller = [];
      for (let at = offset; at < Math.min(offset + limit, AMOUNTS.exports); at += 50) {
        const window = { limit: Math.min(50, offset + limit - at), offset: at };
        smaller.push(...(await listExports(db, [1], window)).items);
      }
      expect(page).toEqual({ count: AMOUNTS.exports, items: smaller });
      expect(smaller).toHaveLength(Math.min(limit, AMOUNTS.exports - offset));
      await plans();
    });
  });
});
