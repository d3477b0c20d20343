import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CompiledQuery, Kysely, sql } from 'kysely';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { pgliteDialect } from '../database/embedded/dialect.ts';
import { openQueue, type Queue } from './queue.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-queue-'));
let database: Database;
let queue: Queue;
const errors: Error[] = [];
const delivered: string[] = [];
let failOnce = new Set<string>();
/** How far the application's clock is ahead of the machine's, milliseconds. */
let ahead = 0;

beforeAll(async () => {
  await prepareDatabase(dataDir);
  database = await openDatabase({ dataDir });
  queue = await openQueue({
    engine: database.engine,
    databaseUrl: undefined,
    onError: (e) => errors.push(e),
    now: () => Date.now() + ahead,
  });
  await queue.work(2, async (runId) => {
    delivered.push(runId);
    if (failOnce.delete(runId)) throw new Error('handler failed');
  });
});
afterAll(async () => {
  await queue.stop(1000);
  await database.close();
  rmSync(dataDir, { recursive: true });
});

const times = (runId: string) => delivered.filter((id) => id === runId).length;

it('delivers what a committed transaction enqueued, and nothing of one rolled back', async () => {
  await database.kysely
    .transaction()
    .execute(async (trx) => {
      await queue.enqueue(trx, ['lost']);
      throw new Error('undo');
    })
    .catch(() => {});
  await database.kysely.transaction().execute((trx) => queue.enqueue(trx, ['kept-1', 'kept-2']));
  await vi.waitFor(() => expect(delivered).toEqual(expect.arrayContaining(['kept-1', 'kept-2'])), 10_000);
  expect(times('lost')).toBe(0);
  expect(errors).toEqual([]);
});

it('delivers again when the handler throws', async () => {
  failOnce = new Set(['again']);
  await queue.enqueue(database.kysely, ['again']);
  await vi.waitFor(() => expect(times('again')).toBe(2), 15_000);
});

it('tells which runs have no job that waits or is at work', async () => {
  await queue.enqueue(database.kysely, ['done']);
  await queue.enqueue(database.kysely, ['waits'], Date.now() + 3_600_000);
  const ids = ['never', 'done', 'waits'];
  await vi.waitFor(
    async () => expect(await queue.withoutJob(database.kysely, ids)).toEqual(['never', 'done']),
    15_000,
  );
});

it('of jobs that somebody has taken, too, for who knows that they are dead', async () => {
  await sql`insert into pgboss.job (name, state, data) values
    ('runs', 'active', '{"runId": "taken"}'), ('runs', 'created', '{"runId": "left"}')`.execute(
    database.kysely,
  );
  const ids = ['taken', 'left'];
  expect(await queue.withoutJob(database.kysely, ids)).toEqual([]);
  expect(await queue.withoutJob(database.kysely, ids, 'waiting')).toEqual(['taken']);
  await sql`delete from pgboss.job where data->>'runId' in ('taken', 'left')`.execute(database.kysely);
});

it('reads the queue once, however long it is, when it tells which runs have no job', async () => {
  const waiting = Array.from({ length: 3_000 }, (_, n) => `waits ${n}`);
  await queue.enqueue(database.kysely, waiting, Date.now() + 3_600_000);
  if (!('pglite' in database.engine)) throw new Error('not embedded');
  const { pglite } = database.engine;
  const asked: CompiledQuery[] = [];
  const db = new Kysely({ dialect: pgliteDialect(pglite), log: ({ query }) => void asked.push(query) });
  // As little memory for so many jobs as is left of the usual for a hundred times as many.
  await sql`analyze pgboss.job`.execute(database.kysely);
  await sql`set work_mem = '64kB'`.execute(database.kysely);
  expect(await queue.withoutJob(db, ['never', ...waiting])).toEqual(['never']);
  const [query] = asked;
  const plan = await pglite.query(`explain ${query?.sql}`, [...(query?.parameters ?? [])]);
  expect(JSON.stringify(plan.rows)).toMatch(/Hash (Right )?Anti Join|Merge Anti Join/);
  await sql`reset work_mem`.execute(database.kysely);
});

it('keeps a job for years, whatever becomes of its workers, also in a queue that an earlier version made', async () => {
  await sql`update pgboss.queue set retention_seconds = 1209600`.execute(database.kysely);
  const newer = await openQueue({
    engine: database.engine,
    databaseUrl: undefined,
    onError: (e) => errors.push(e),
  });
  await newer.enqueue(database.kysely, ['patient'], Date.now() + 3_600_000);
  await newer.stop(0);
  const { rows } = await sql<{ days: number; retries: number; hours: number }>`
    select extract(epoch from keep_until - start_after)::float8 / 86400 as days,
           retry_limit as retries, expire_seconds / 3600.0::float8 as hours
      from pgboss.job where data->>'runId' = 'patient'`.execute(database.kysely);
  expect(rows[0]?.days).toBeGreaterThan(365);
  // Neither a worker that is killed again and again nor a run of many hours uses a job up.
  expect(rows[0]?.retries).toBeGreaterThan(100_000);
  expect(rows[0]?.hours).toBeGreaterThan(23);
});

it('removes a job soon after it is done, not a day later', async () => {
  await sql`
    insert into pgboss.job (name, state, data, completed_on, deletion_seconds)
    values ('runs', 'completed', '{"runId": "long done"}', now() - interval '11 minutes', 600)`.execute(
    database.kysely,
  );
  await sql`update pgboss.queue set maintain_on = now() - interval '11 minutes'`.execute(database.kysely);
  const quick = await openQueue({
    engine: database.engine,
    databaseUrl: undefined,
    onError: (e) => errors.push(e),
    superviseSeconds: 1,
  });
  const left = async () =>
    (await sql`select from pgboss.job where data->>'runId' = 'long done'`.execute(database.kysely)).rows
      .length;
  expect(await left()).toBe(1);
  await vi.waitFor(async () => expect(await left()).toBe(0), 10_000);
  await quick.stop(0);
});

const YEARS = 4 * 365 * 86_400_000;

it.each([
  ['the same', 0],
  ['behind', -YEARS],
  ['ahead', YEARS],
])('holds a job back until its time by a clock that is %s', async (name, by) => {
  ahead = by;
  const start = Date.now();
  await queue.enqueue(database.kysely, [name], start + ahead + 1500);
  await vi.waitFor(() => expect(times(name)).toBe(1), 15_000);
  // The two clocks are read one after the other.
  expect(Date.now()).toBeGreaterThanOrEqual(start + 1490);
  ahead = 0;
});

it.each([
  ['behind', -3_600_000],
  ['ahead', 3_600_000],
])(
  'waits are as long as they were meant to be on a machine whose clock is %s the database',
  async (name, by) => {
    const frozen = Date.now() + by;
    const waits = { over: -5_000, short: 1_500, long: 600_000, years: YEARS };
    const clock = vi.spyOn(Date, 'now').mockReturnValue(frozen);
    try {
      for (const [what, ms] of Object.entries(waits)) {
        await queue.enqueue(database.kysely, [`${name} ${what}`, `${name} ${what} too`], frozen + ms);
      }
    } finally {
      clock.mockRestore();
    }
    const { rows } = await sql<{ id: string; ms: number }>`
    select data->>'runId' as id, extract(epoch from start_after - created_on)::float8 * 1000 as ms
      from pgboss.job where data->>'runId' like ${`${name} %`}`.execute(database.kysely);
    const expected = Object.entries({ ...waits, over: 0 }).flatMap(([what, ms]) => [
      [`${name} ${what}`, ms],
      [`${name} ${what} too`, ms],
    ]);
    expect(Object.fromEntries(rows.map(({ id, ms }) => [id, ms]))).toEqual(Object.fromEntries(expected));
  },
);
