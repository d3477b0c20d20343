import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readEvents } from '../kit/duckdb.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** contract.md §9 on a whole server: captured events come back as files. */
const DAY_MS = 86_400_000;
const EVENTS = 2_000;

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-downloads-'));
const crashPoint = join(dataDir, 'crash-at');
const env = { SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${crashPoint}` };
const end = new Date(new Date().toISOString().slice(0, 10));
const start = new Date(end.getTime() - DAY_MS);
let sluice: RunningSluice;
let uuids: string[];

beforeAll(async () => {
  sluice = await startSluice({ dataDir, env });
  uuids = await capture();
});
afterAll(async () => {
  await sluice?.stop();
  rmSync(dataDir, { recursive: true });
});

/** A day of events, some of another name, and one of the day after. */
async function capture(): Promise<string[]> {
  const batch = Array.from({ length: EVENTS }, (_, i) => ({
    event: i % 4 === 0 ? '$pageview' : 'order placed',
    distinct_id: `user-${i % 50}`,
    uuid: crypto.randomUUID(),
    timestamp: new Date(start.getTime() + (i * DAY_MS) / EVENTS).toISOString(),
    properties: { n: i, text: 'Grüße 👋', long: 'x'.repeat(1_000) },
  }));
  const after = {
    event: 'later',
    distinct_id: 'user',
    uuid: crypto.randomUUID(),
    timestamp: end.toISOString(),
  };
  const body = JSON.stringify({ api_key: sluice.ready.project_api_key, batch: [...batch, after] });
  const response = await fetch(`${sluice.ready.url}/batch/`, { method: 'POST', body });
  expect(response.status).toBe(200);
  return batch.map(({ uuid }) => uuid).toSorted();
}

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape each test asserts
type Json = any;

function call(method: string, path: string, body?: unknown): Promise<Response> {
  return fetch(`${sluice.ready.url}/api/projects/@current/file_download_batch_exports/${path}`, {
    method,
    redirect: 'manual',
    headers: { authorization: `Bearer ${sluice.ready.personal_api_key}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function ask(changes: Record<string, unknown>): Promise<string> {
  const bounds = { data_interval_start: start.toISOString(), data_interval_end: end.toISOString() };
  const response = await call('POST', '', { file: {}, model: 'events', ...bounds, ...changes });
  const body: Json = await response.json();
  expect(response.status, JSON.stringify(body)).toBe(202);
  return body.id;
}

const get = async (id: string): Promise<Json> => (await call('GET', `${id}/`)).json();

async function ended(id: string): Promise<Json> {
  return vi.waitFor(
    async () => {
      const download = await get(id);
      expect(['Completed', 'Failed', 'Cancelled']).toContain(download.status);
      return download;
    },
    { timeout: 30_000, interval: 30 },
  );
}

async function link(id: string, part: string | number): Promise<string> {
  const response = await call('GET', `${id}/download/${part}`);
  expect(response.status).toBe(302);
  expect(response.headers.get('cache-control')).toBe('no-store');
  return response.headers.get('location') ?? '';
}

/** Follows the links of every part, as a browser would, into an empty folder. */
async function fetchAll(id: string, files: readonly string[]): Promise<string> {
  const folder = mkdtempSync(join(dataDir, 'fetched-'));
  for (const file of files) {
    const response = await fetch(await link(id, file));
    expect(response.status).toBe(200);
    const [, name = ''] =
      /^attachment; filename="([^"]+)"$/.exec(response.headers.get('content-disposition') ?? '') ?? [];
    writeFileSync(join(folder, name), Buffer.from(await response.arrayBuffer()));
  }
  return folder;
}

const uuidsIn = async (folder: string) => (await readEvents(folder)).map((event) => event.uuid);

describe('count_rows', () => {
  const rows = 'FROM events WHERE timestamp >= {data_interval_start} AND timestamp < {data_interval_end}';
  it.each([
    [EVENTS, `SELECT uuid ${rows}`],
    [EVENTS / 4, `SELECT uuid ${rows} AND event = '$pageview'`],
    [1, `SELECT count() AS n ${rows}`],
    [10, `SELECT properties.n AS n ${rows} LIMIT 10`],
    [50, `SELECT distinct_id ${rows} GROUP BY distinct_id`],
  ])('%i: %s', async (count, hogql_query) => {
    const bounds = { data_interval_start: start.toISOString(), data_interval_end: end.toISOString() };
    const response = await call('POST', 'count_rows/', { model: 'hogql', hogql_query, ...bounds });
    expect([response.status, await response.json()]).toEqual([200, { count }]);
  });

  it('says which construct it does not know', async () => {
    const hogql_query = 'WITH x AS (SELECT event FROM events) SELECT event FROM x';
    const response = await call('POST', 'count_rows/', { model: 'hogql', hogql_query });
    const refused = { code: 'invalid_input', attr: 'hogql_query', detail: expect.stringContaining('WITH') };
    expect([response.status, await response.json()]).toEqual([400, expect.objectContaining(refused)]);
  });
});

describe('file downloads', () => {
  it.each([
    [{ format: 'Parquet', compression: 'zstd' }, 1],
    [{ format: 'JSONLines', compression: 'gzip' }, 1],
    [{ format: 'JSONLines', max_size_mb: 1 }, 3],
  ])('hold every event that happened in the interval, once (%o)', async (file, atLeast) => {
    const id = await ask({ file });
    const download = await ended(id);
    expect(download).toMatchObject({ status: 'Completed', records_completed: EVENTS });
    expect(download.files.length).toBeGreaterThanOrEqual(atLeast);
    expect(await uuidsIn(await fetchAll(id, download.files))).toEqual(uuids);
    const head = await fetch(await link(id, 0), { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.headers.get('content-type')).toBe('application/octet-stream');
    expect(Number(head.headers.get('content-length'))).toBe(download.parts[0].bytes);
  });

  it('go by event names, and have a log', async () => {
    const names = { include: ['$pageview', 'order placed'], exclude: ['order placed'] };
    const id = await ask({ ...names, file: { format: 'JSONLines', max_size_mb: 0 } });
    const download = await ended(id);
    const metrics = await (await fetch(`${sluice.ready.url}/metrics`)).text();
    expect(metrics).toMatch(/^sluice_runs_ended_total\{kind="download",status="Completed"\} [1-9]/m);
    expect(metrics).toMatch(/^sluice_runs_ended_total\{kind="export",status="Completed"\} 0$/m);
    expect(download).toMatchObject({ records_completed: EVENTS / 4, files: [expect.any(String)] });
    const lines: Json = await (await call('GET', `${id}/logs/`)).json();
    expect(lines.results[0]).toMatchObject({ log_source_id: id, instance_id: id });
  });

  it.each(['persons', 'sessions'])('of %s end with plain words', async (model) => {
    const download = await ended(await ask({ model }));
    expect(download.status === 'Completed' || /not available/.test(download.error)).toBe(true);
  });

  describe('links', () => {
    let id: string;
    let url: string;
    let whole: Buffer;

    beforeAll(async () => {
      id = await ask({ file: { format: 'JSONLines' } });
      await ended(id);
      url = await link(id, 0);
      whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    });

    it.each([
      ['bytes=0-99', 0, 100],
      ['bytes=1000-1000', 1000, 1001],
      ['bytes=-50', -50, undefined],
    ])('serve %s', async (range, from, to) => {
      const response = await fetch(url, { headers: { range } });
      expect(response.status).toBe(206);
      expect(Buffer.from(await response.arrayBuffer())).toEqual(whole.subarray(from, to));
      expect(response.headers.get('content-range')).toMatch(new RegExp(`/${whole.length}$`));
    });

    it('go on with a transfer only while the file is the same', async () => {
      const { headers } = await fetch(url, { method: 'HEAD' });
      const range = { range: `bytes=${whole.length - 10}-` };
      const same = await fetch(url, { headers: { ...range, 'if-range': headers.get('etag') ?? '' } });
      expect(headers.get('etag')).toMatch(/^"[^"]+"$/);
      expect(Buffer.from(await same.arrayBuffer())).toEqual(whole.subarray(-10));
      const another = await fetch(url, { headers: { ...range, 'if-range': '"another"' } });
      expect([another.status, (await another.arrayBuffer()).byteLength]).toEqual([200, whole.length]);
    });

    it('refuse a range that is not there, in the envelope', async () => {
      const response = await fetch(url, { headers: { range: `bytes=${whole.length}-` } });
      expect(response.status).toBe(416);
      expect(response.headers.get('content-range')).toBe(`bytes */${whole.length}`);
      expect(await response.json()).toMatchObject({ type: 'invalid_request', code: 'range_not_satisfiable' });
    });

    it.each([
      ['signature', (link: URL) => link.searchParams.set('signature', 'A'.repeat(43))],
      ['expiry', (link: URL) => link.searchParams.set('expires', '9999999999')],
      ['name', (link: URL) => (link.pathname += 'x')],
      ['run', (link: URL) => (link.pathname = link.pathname.replace(id, crypto.randomUUID()))],
      ['query', (link: URL) => (link.search = '')],
    ])('with another %s are refused', async (_, tamper) => {
      const tampered = new URL(url);
      tamper(tampered);
      for (const method of ['GET', 'HEAD']) {
        expect((await fetch(tampered, { method })).status).toBe(403);
      }
      const body = await (await fetch(tampered)).json();
      expect(body).toMatchObject({ type: 'authentication_error', code: 'permission_denied', attr: null });
    });

    it('are for reading, and in no log', async () => {
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
      await vi.waitFor(() => expect(sluice.logs()).toContain('signature=[secret]'));
      const signature = new URL(url).searchParams.get('signature') ?? 'none';
      expect(sluice.logs()).not.toContain(signature);
    });
  });

  it('that were removed by hand say what to do', async () => {
    const id = await ask({});
    await ended(id);
    const url = await link(id, 0);
    rmSync(join(dataDir, 'downloads', id), { recursive: true });
    const response = await fetch(url);
    const body: Json = await response.json();
    expect([response.status, body.code]).toEqual([404, 'not_found']);
    expect(body.detail).toContain('SLUICE_DOWNLOADS_ROOT');
  });

  it('are finished after kill -9 between two files', async () => {
    writeFileSync(crashPoint, 'published-one:1');
    const died = once(sluice.process, 'exit');
    const id = await ask({ file: { format: 'JSONLines', max_size_mb: 1 } });
    await died;
    rmSync(crashPoint);
    sluice = await startSluice({ dataDir, env });
    const download = await ended(id);
    expect(download).toMatchObject({ status: 'Completed', records_completed: EVENTS });
    expect(await uuidsIn(await fetchAll(id, download.files))).toEqual(uuids);
  });
});
