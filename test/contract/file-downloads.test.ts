import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createLinkSigner } from '../../src/batch-exports/downloads/links.ts';
import { fixPlan } from '../../src/batch-exports/runs/plan.ts';
import { claimRun } from '../../src/batch-exports/runs/store.ts';
import type { RunsTable } from '../../src/database/tables.ts';
import { type Json, type ServedBench, serveBench } from './batch-exports-kit.ts';

/** contract.md §9, with runs that the test moves through their states; test/flows/file-downloads.test.ts really runs. */
const PATH = 'file_download_batch_exports/';

let bench: ServedBench;
const stopping = new AbortController();
const root = mkdtempSync(join(tmpdir(), 'sluice-downloads-'));
/** By how much the newest arrival stamp is ahead of the clock, milliseconds. */
let stampsAhead = 0;
let readOnly: string;
let other: number;

beforeAll(async () => {
  const links = createLinkSigner(['a secret of at least thirty-two bytes']);
  const settings = { root, most: 2, linkSeconds: 3600, keepSeconds: 86_400 };
  bench = await serveBench({
    downloads: { ...settings, links, stopping: stopping.signal },
    arrivedBefore: async () => bench.clock.now() + stampsAhead + 1,
  });
  const { accounts, db } = bench;
  const { userId = 0 } = (await accounts.authenticate(bench.key))?.caller ?? {};
  const limits = { userId, projects: null, organizations: null };
  ({ key: readOnly } = await accounts.createKey({ ...limits, label: 'r', scopes: ['batch_export:read'] }));
  const project = { organization_id: bench.organizationId, name: 'Other', api_token: 'phc_other' };
  const row = { ...project, created_at: new Date(bench.clock.now()) };
  ({ id: other } = await db.insertInto('projects').values(row).returning('id').executeTakeFirstOrThrow());
});
afterAll(async () => {
  await bench.close();
  rmSync(root, { recursive: true });
});

/** Leaves no download active for the next test. */
afterEach(async () => {
  await bench.db
    .updateTable('batch_export_runs')
    .set({ status: 'Cancelled', last_updated_at: new Date() })
    .where('status', 'in', ['Starting', 'Running'])
    .execute();
});

const day = (changes: Record<string, unknown> = {}) => ({
  file: { format: 'Parquet', compression: 'zstd' },
  model: 'events',
  data_interval_start: '2026-02-27T00:00:00Z',
  data_interval_end: '2026-02-28T00:00:00Z',
  ...changes,
});

const query = (hogql: string, changes: Record<string, unknown> = {}) => ({
  file: {},
  model: 'hogql',
  hogql_query: hogql,
  ...changes,
});

async function create(body: Json = day()): Promise<string> {
  const answer = await bench.call('POST', PATH, body);
  expect(answer, JSON.stringify(answer.body)).toMatchObject({
    status: 202,
    body: { id: expect.any(String) },
  });
  return answer.body.id;
}

const set = (id: string, values: Partial<Pick<RunsTable, 'status'>> & Record<string, unknown>) =>
  bench.db
    .updateTable('batch_export_runs')
    .set({ ...values, last_updated_at: new Date(bench.clock.now()) })
    .where('id', '=', id)
    .execute();

/** As the engine leaves a run with two files. */
const complete = (id: string) =>
  set(id, {
    status: 'Completed',
    attempt: 1,
    records_completed: 30,
    records_total_count: 30,
    bytes_exported: 3000,
    finished_at: new Date(bench.clock.now()),
    files: JSON.stringify([
      { key: `${id}/b.parquet`, bytes: 1000, rows: 10 },
      { key: `${id}/a.parquet`, bytes: 2000, rows: 20 },
    ]),
  });

describe('asking for a download', () => {
  it('answers 202 with the id of a run that has its job', async () => {
    const id = await create();
    expect(bench.jobs.at(-1)).toEqual({ runId: id, startAfter: undefined });
    expect((await bench.call('GET', `${PATH}${id}/`)).body).toEqual({
      status: 'Starting',
      progress: {
        records_completed: null,
        records_total_count: null,
        bytes_exported: null,
        attempt: 0,
        latest_error: null,
        next_attempt_at: null,
      },
    });
  });

  it.each([
    ['as its clock tells', 0],
    ['also by stamps that are ahead of the clock', 3_600_000],
  ])('takes what had arrived, %s', async (_, ahead) => {
    stampsAhead = ahead;
    const runId = await create();
    stampsAhead = 0;
    const now = bench.clock.now();
    const claim = await claimRun(bench.db, { runId, worker: 'w', now });
    expect(claim?.readableFrom).toBe(now + ahead + 1);
    if (!claim) return;
    expect((await fixPlan(bench.db, claim, now)).region.arrivalTo).toBe(now + ahead + 1);
  });

  it('of an earlier version takes what had arrived when it was made', async () => {
    const runId = await create();
    await bench.db
      .updateTable('batch_export_runs')
      .set({ snapshot: sql`snapshot - 'arrivalBefore'`, created_at: new Date('2026-03-01T10:19:00Z') })
      .where('id', '=', runId)
      .execute();
    const claim = await claimRun(bench.db, { runId, worker: 'w', now: bench.clock.now() });
    expect(claim?.readableFrom).toBe(Date.parse('2026-03-01T10:19:00.001Z'));
  });

  it('takes no names, nulls, naive times and unknown keys', async () => {
    await create(
      day({
        file: { compression: null, max_size_mb: null },
        include: [],
        data_interval_start: '2026-02-27 00:00',
        hogql_query: null,
        unknown: 1,
      }),
    );
    const { snapshot, data_interval_start: start } = await bench.db
      .selectFrom('batch_export_runs')
      .selectAll()
      .orderBy('id', 'desc')
      .executeTakeFirstOrThrow();
    expect(start).toEqual(new Date('2026-02-27T00:00:00Z'));
    expect(snapshot).toMatchObject({
      destination: {
        type: 'FileDownload',
        config: { file_format: 'Parquet', compression: null, max_file_size_mb: null, include_events: [] },
      },
    });
  });

  it.each(['persons', 'sessions'])('takes %s', async (model) => {
    await create(day({ model }));
  });

  it('takes queries, with the bounds they use', async () => {
    await create(query('SELECT event AS event FROM events'));
    await create(
      query('SELECT event AS e FROM events WHERE timestamp >= {data_interval_start}', {
        data_interval_start: '2026-02-27T00:00:00Z',
      }),
    );
  });

  const future = '2026-03-01T10:20:00.001Z';
  it.each<[string, Json, string, string | null]>([
    ['no file', { ...day(), file: undefined }, 'required', 'file'],
    ['a file that is no object', day({ file: 'Parquet' }), 'invalid_input', 'file__non_field_errors'],
    ['another format', day({ file: { format: 'CSV' } }), 'invalid_choice', 'file__format'],
    ['another compression', day({ file: { compression: 'zip' } }), 'invalid_choice', 'file__compression'],
    [
      'a compression of the other format',
      day({ file: { format: 'JSONLines', compression: 'lz4' } }),
      'invalid_input',
      'file__compression',
    ],
    ['a negative size', day({ file: { max_size_mb: -1 } }), 'min_value', 'file__max_size_mb'],
    ['no model', { ...day(), model: undefined }, 'required', 'model'],
    ['another model', day({ model: 'groups' }), 'invalid_choice', 'model'],
    ['names that are no list', day({ include: 'x' }), 'not_a_list', 'include'],
    ['no start', day({ data_interval_start: undefined }), 'invalid_input', null],
    ['end null', day({ data_interval_end: null }), 'invalid_input', null],
    ['a start that is no time', day({ data_interval_start: 'x' }), 'invalid_input', 'data_interval_start'],
    ['start after end', day({ data_interval_start: '2026-02-28T00:00:01Z' }), 'invalid_input', null],
    ['more than 7 days', day({ data_interval_start: '2026-02-20T23:59:59Z' }), 'invalid_input', null],
    ['an end in the future', day({ data_interval_end: future }), 'invalid_input', null],
    [
      'start and end in the future',
      day({ data_interval_start: future, data_interval_end: future }),
      'invalid_input',
      null,
    ],
    ['a query for events', day({ hogql_query: 'SELECT 1 AS one' }), 'invalid_input', null],
    ['modifiers for events', day({ hogql_modifiers: {} }), 'invalid_input', null],
    ['no query', query('', { hogql_query: undefined }), 'invalid_input', null],
    ['include with a query', query('SELECT 1 AS one', { include: ['x'] }), 'invalid_input', null],
    ['exclude with a query', query('SELECT 1 AS one', { exclude: ['x'] }), 'invalid_input', null],
    ['an unknown placeholder', query('SELECT {team} AS t'), 'invalid_input', 'hogql_query'],
    [
      'a placeholder without its bound',
      query('SELECT {data_interval_end} AS e'),
      'invalid_input',
      'data_interval_end',
    ],
  ])('refuses %s', async (_, body, code, attr) => {
    const jobs = bench.jobs.length;
    const answer = await bench.call('POST', PATH, body);
    expect(answer).toMatchObject({ status: 400, body: { type: 'validation_error', code, attr } });
    expect(bench.jobs).toHaveLength(jobs);
  });

  it('takes exactly 7 days, and an end that is now', async () => {
    await create(
      day({ data_interval_start: '2026-02-22T10:20:00Z', data_interval_end: '2026-03-01T10:20:00Z' }),
    );
  });

  it('refuses one more than the limit, until one has ended', async () => {
    const first = await create();
    await create();
    const answer = await bench.call('POST', PATH, day());
    expect(answer).toMatchObject({
      status: 429,
      body: { type: 'server_error', code: 'too_many_concurrent_file_downloads', attr: null },
    });
    await complete(first);
    await create();
  });

  it('refuses queries while their gate is closed', () =>
    bench.closing(['hogql'], async () => {
      const refused = { status: 403, body: { type: 'authentication_error', code: 'permission_denied' } };
      expect(await bench.call('POST', PATH, query('SELECT 1 AS one'))).toMatchObject(refused);
      const counted = await bench.call('POST', `${PATH}count_rows/`, query('SELECT 1 AS one'));
      expect(counted).toMatchObject(refused);
    }));
});

describe('counting rows', () => {
  it.each<[string, Json, string, string | null]>([
    ['another model', { model: 'events', hogql_query: 'SELECT 1 AS one' }, 'invalid_choice', 'model'],
    ['no model', { hogql_query: 'SELECT 1 AS one' }, 'required', 'model'],
    ['no query', { model: 'hogql' }, 'required', 'hogql_query'],
    ['an unknown placeholder', query('SELECT {x} AS x'), 'invalid_input', 'hogql_query'],
    ['a missing bound', query('SELECT {data_interval_start} AS s'), 'invalid_input', 'data_interval_start'],
  ])('refuses %s', async (_, body, code, attr) => {
    const answer = await bench.call('POST', `${PATH}count_rows/`, body);
    expect(answer).toMatchObject({ status: 400, body: { type: 'validation_error', code, attr } });
  });
});

describe('downloads that exist', () => {
  it('are listed newest first, ids and statuses only, page by page', async () => {
    const older = await create();
    bench.clock.advance(1_000);
    const newer = await create();
    await complete(older);
    const first = await bench.call('GET', `${PATH}?limit=1`);
    expect(first.body).toMatchObject({ results: [{ id: newer, status: 'Starting' }], previous: null });
    const second = await bench.call('GET', first.body.next);
    expect(second.body.results).toEqual([{ id: older, status: 'Completed' }]);
    expect(second.body.count).toBeGreaterThanOrEqual(2);
  });

  it('show their files when they are complete, ordered by key', async () => {
    const id = await create();
    await complete(id);
    const { body } = await bench.call('GET', `${PATH}${id}/`);
    expect(body).toMatchObject({
      status: 'Completed',
      files: body.parts.map((part: Json) => part.id),
      records_completed: 30,
      expires_at: '2026-03-02T10:20:01Z',
      parts: [
        { name: 'a.parquet', bytes: 2000, records: 20 },
        { name: 'b.parquet', bytes: 1000, records: 10 },
      ],
    });
    expect(new Set(body.files).size).toBe(2);
  });

  it.each([
    ['Running', null, { status: 'Running' }],
    ['Cancelled', null, { status: 'Cancelled' }],
    ['Failed', 'Mend it.', { status: 'Failed', error: 'Mend it.' }],
    ['FailedRetryable', 'Gone.', { status: 'FailedRetryable', error: 'Gone.' }],
  ])('that are %s say so', async (status, latest_error, expected) => {
    const id = await create();
    await set(id, { status, latest_error });
    expect((await bench.call('GET', `${PATH}${id}/`)).body).toMatchObject(expected);
    const answer = await bench.call('GET', `${PATH}${id}/download/`);
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_input', attr: null } });
  });

  it('say while they run how far they are and what went wrong last', async () => {
    const id = await create();
    const progress = { attempt: 2, latest_error: 'Overloaded.', records_completed: 5 };
    await set(id, { status: 'Running', ...progress });
    expect((await bench.call('GET', `${PATH}${id}/`)).body.progress).toMatchObject(progress);
  });

  it('answer for parts that are none', async () => {
    const id = await create();
    await complete(id);
    const get = (part: string) => bench.call('GET', `${PATH}${id}/download/${part}/`);
    expect(await get('first')).toMatchObject({ status: 400, body: { code: 'invalid_input' } });
    for (const missing of ['2', '-1', crypto.randomUUID()]) {
      expect(await get(missing)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
  });

  it('without rows have no file', async () => {
    const id = await create();
    await set(id, { status: 'Completed', records_completed: 0, files: '[]', finished_at: new Date() });
    const { body } = await bench.call('GET', `${PATH}${id}/`);
    expect(body).toMatchObject({ status: 'Completed', files: [], records_completed: 0 });
    expect((await bench.call('GET', `${PATH}${id}/download/`)).status).toBe(404);
  });

  it('are cancelled once', async () => {
    const id = await create();
    const told = vi.spyOn(bench.ports, 'onRunCancelled');
    const cancel = () => bench.call('POST', `${PATH}${id}/cancel/`, { file: {} });
    expect(await cancel()).toEqual({ status: 200, body: { status: 'Cancelled' } });
    expect(told.mock.lastCall).toEqual([id, 'download']);
    expect(await cancel()).toMatchObject({ status: 400, body: { code: 'invalid_input', attr: null } });
    expect((await bench.call('GET', `${PATH}${id}/`)).body).toEqual({ status: 'Cancelled' });
    const { body } = await bench.call('GET', `${PATH}${id}/logs/`);
    expect(body.results).toMatchObject([{ log_source_id: id, instance_id: id, message: 'Run cancelled.' }]);
    const others = await bench.call('GET', `${PATH}${id}/logs/?instance_id=${randomUUID()}`);
    expect(others.body).toMatchObject({ count: 0, results: [] });
  });

  it('are no batch exports', async () => {
    const id = await create();
    const listed = await bench.call('GET', 'batch_exports/');
    expect(listed.body.results.map((each: Json) => each.id)).not.toContain(id);
    expect((await bench.call('GET', `batch_exports/${id}/`)).status).toBe(404);
    expect((await bench.call('POST', `batch_exports/${id}/unpause/`)).status).toBe(404);
    expect((await bench.call('POST', `batch_exports/${id}/runs/${id}/retry/`)).status).toBe(404);
    const run = await bench.call('GET', `batch_exports/${id}/runs/${id}/`);
    expect(run.body).toMatchObject({ batch_export: null, batch_export_on_demand: id });
    const { id: real } = await bench.create();
    expect((await bench.call('GET', `${PATH}${real}/`)).status).toBe(404);
  });

  it('are seen by their project alone, and started and stopped with a key that may', async () => {
    const id = await create();
    const elsewhere = `/api/projects/${other}/${PATH}`;
    for (const path of [`${id}/`, `${id}/download/`, `${id}/logs/`, 'no-uuid/']) {
      expect((await bench.call('GET', elsewhere + path)).status, path).toBe(404);
    }
    expect((await bench.call('POST', `${elsewhere}${id}/cancel/`)).status).toBe(404);
    expect((await bench.call('GET', elsewhere)).body.count).toBe(0);
    expect((await bench.send('GET', `${PATH}${id}/`, undefined, readOnly)).status).toBe(200);
    for (const path of ['', 'count_rows/', `${id}/cancel/`]) {
      expect((await bench.send('POST', PATH + path, '{}', readOnly)).status, path).toBe(403);
    }
    expect((await bench.send('GET', PATH, undefined, 'phx_unknown')).status).toBe(401);
    expect((await bench.call('DELETE', `${PATH}${id}/`)).status).toBe(405);
  });

  it('leave a line each in the activity log', async () => {
    const id = await create();
    await bench.call('POST', `${PATH}${id}/cancel/`);
    const rows = await bench.db
      .selectFrom('activity_log')
      .select('activity')
      .where('item_id', '=', id)
      .execute();
    expect(rows.map((row) => row.activity)).toEqual(['file_download_created', 'file_download_cancelled']);
  });
});

/** A file where the engine would have written it; it holds its run's id. */
function lay(id: string): void {
  mkdirSync(join(root, id), { recursive: true });
  writeFileSync(join(root, id, 'a.parquet'), id);
}

async function linkTo(id: string): Promise<string> {
  const headers = { authorization: `Bearer ${bench.key}` };
  const url = `${bench.base}/api/projects/${bench.teamId}/${PATH}${id}/download/`;
  const { headers: sent } = await fetch(url, { headers, redirect: 'manual' });
  return sent.get('location') ?? '';
}

describe('the link to a file', () => {
  it('is good for an hour', async () => {
    const id = await create();
    await complete(id);
    lay(id);
    const link = await linkTo(id);
    bench.clock.advance(3_599_000);
    expect(await (await fetch(link)).text()).toBe(id);
    bench.clock.advance(1_000);
    const late = await fetch(link);
    const refused = { code: 'permission_denied', detail: expect.stringContaining('expired') };
    expect([late.status, await late.json()]).toEqual([403, expect.objectContaining(refused)]);
    expect((await fetch(await linkTo(id))).status).toBe(200);
  });

  it('is good no longer than the file', async () => {
    const id = await create();
    await complete(id);
    bench.clock.advance(bench.ports.downloads.keepSeconds * 1000 - 60_000);
    const expires = Number(new URL(await linkTo(id)).searchParams.get('expires'));
    expect(expires * 1000 - bench.clock.now()).toBe(60_000);
    bench.clock.advance(60_000);
    expect((await bench.call('GET', `${PATH}${id}/download/`)).status).toBe(400);
  });

  it('lets go of the file when the server stops', async () => {
    const id = await create();
    await complete(id);
    lay(id);
    // Far more than sockets hold; the file has no blocks.
    truncateSync(join(root, id, 'a.parquet'), 2 ** 28);
    const response = await fetch(await linkTo(id));
    expect(response.headers.get('content-length')).toBe(String(2 ** 28));
    stopping.abort();
    await expect(response.arrayBuffer()).rejects.toThrow();
  });
});

describe('files whose time is over', () => {
  it('are removed, and nothing else is', async () => {
    const { keepSeconds } = bench.ports.downloads;
    const old = await create();
    const cancelled = await create();
    await complete(old);
    await set(cancelled, { status: 'Cancelled', finished_at: new Date(bench.clock.now()) });
    bench.clock.advance((keepSeconds - 1) * 1000);
    const [fresh, active] = [await create(), await create()];
    await complete(fresh);
    const unknown = crypto.randomUUID();
    for (const left of readdirSync(root)) rmSync(join(root, left), { recursive: true });
    for (const name of [old, cancelled, fresh, active, unknown, 'else']) lay(name);

    expect(await bench.feature.removeExpiredDownloads()).toBe(1);
    expect(readdirSync(root)).not.toContain(cancelled);
    bench.clock.advance(1000);
    expect(await bench.feature.removeExpiredDownloads()).toBe(1);
    expect(readdirSync(root).toSorted()).toEqual([fresh, active, unknown, 'else'].toSorted());
    const gone = await bench.call('GET', `${PATH}${old}/download/`);
    expect(gone).toMatchObject({ status: 400, body: { code: 'invalid_input', attr: null } });
    expect((await bench.call('GET', `${PATH}${old}/`)).body.files).toHaveLength(2);
  });
});
