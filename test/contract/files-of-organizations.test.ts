import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { backfill, capture, createExport, uuids, yesterday } from '../flows/main-job.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** Two organizations write to the same prefix of one disk, for the same interval. */
const { start, end } = yesterday();
const [day, nextDay] = [start, end].map((date) => date.toISOString().slice(0, 10)) as [string, string];
const destination = (prefix: string) => ({ type: 'Filesystem', config: { prefix, file_format: 'Parquet' } });

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-folders-'));
let sluice: RunningSluice;
let other: RunningSluice;
const folder = () => `organization-${other.ready.organization_id}`;

beforeAll(async () => {
  sluice = await startSluice({ dataDir });
  const { body: organization } = await sluice.api('POST', '/api/organizations/', { name: 'Other' });
  const { body: project } = await sluice.api('POST', `/api/organizations/${organization.id}/projects/`, {
    name: 'Web',
  });
  const ready = {
    ...sluice.ready,
    organization_id: String(organization.id),
    project_id: Number(project.id),
    project_api_key: String(project.api_token),
  };
  other = { ...sluice, ready };
});
afterAll(async () => {
  await sluice?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

it('each finds its own events there, and no others', async () => {
  const root = join(sluice.dataDir, 'exports');
  for (const [tenant, place, events] of [
    [sluice, root, 5],
    [other, join(root, folder()), 7],
  ] as const) {
    const sent = await capture(tenant, events, start, end);
    const id = await createExport(tenant, destination('events'));
    await backfill(tenant, id, day, nextDay);
    expect(await uuids(join(place, 'events'))).toEqual(sent.toSorted());
  }
  expect(readdirSync(root).toSorted()).toEqual(['events', folder()].toSorted());
});

it('a connection test writes where an export would', async () => {
  const root = join(sluice.dataDir, 'exports');
  const test = { name: 'x', interval: 'hour', destination: destination('tried') };
  const path = `/api/projects/${other.ready.project_id}/batch_exports/run_test_step_new/`;
  const { body } = await other.api('POST', path, test);
  expect(body.result).toEqual({ status: 'Passed', message: null });
  expect(readdirSync(root)).not.toContain('tried');
  expect(readdirSync(join(root, folder()))).toContain('tried');
});

it('the first one may not name the folder of another', async () => {
  const prefix = `/${folder()}/events`;
  const sent = { name: 'x', interval: 'hour', destination: destination(prefix) };
  const create = async ({ ready, api }: RunningSluice) =>
    api('POST', `/api/projects/${ready.project_id}/batch_exports/`, sent);
  const refused = await create(sluice);
  expect([refused.status, refused.body.code, refused.body.attr]).toEqual([
    400,
    'invalid_input',
    'destination',
  ]);
  expect(refused.body.detail).toContain('organization-<id>');
  expect((await create(other)).status).toBe(201);
});

/** What `change` makes of the database while the server is stopped. */
async function restarted(change: (db: Database['kysely']) => Promise<unknown>): Promise<void> {
  await sluice.stop();
  const database = await openDatabase({ dataDir });
  await change(database.kysely);
  await database.close();
  sluice = await startSluice({ dataDir });
  other = { ...sluice, ready: { ...other.ready, url: sluice.ready.url } };
}

it('what an older version wrote to the root goes when its run is repeated, and what it began there ends there', async () => {
  const root = join(dataDir, 'exports');
  const runOf = async (prefix: string) => {
    const exportId = await createExport(other, destination(prefix));
    const [run] = await backfill(other, exportId, day, nextDay);
    return { exportId, runId: run?.id ?? '' };
  };
  const repeated = await runOf('repeated');
  const overwritten = await runOf('events');
  const begun = await runOf('begun');
  const sent = await uuids(join(root, folder(), 'repeated'));
  const firsts = await uuids(join(root, 'events'));
  expect([sent.length, firsts.length]).toEqual([7, 5]);

  // As before there were folders: none of them noted a place, all lay in the root, and one was under way.
  await restarted(async (db) => {
    for (const prefix of ['repeated', 'begun']) renameSync(join(root, folder(), prefix), join(root, prefix));
    rmSync(join(root, folder(), 'events'), { recursive: true });
    const runs = [repeated, overwritten, begun].map(({ runId }) => runId);
    await db.updateTable('batch_export_runs').set({ place: null }).where('id', 'in', runs).execute();
    const underWay = { status: 'Running', finished_at: null, files: null, proof: null };
    await db.updateTable('batch_export_runs').set(underWay).where('id', '=', begun.runId).execute();
  });

  const path = ({ exportId, runId }: typeof begun) =>
    `/api/projects/${other.ready.project_id}/batch_exports/${exportId}/runs/${runId}/`;
  const completed = (exportId: string, count: number) =>
    vi.waitFor(
      async () => {
        const { body } = await other.api<{ results: { status: string }[] }>(
          'GET',
          `/api/projects/${other.ready.project_id}/batch_exports/${exportId}/runs/?after=-1d`,
        );
        expect(body.results.map(({ status }) => status)).toEqual(Array(count).fill('Completed'));
      },
      { timeout: 60_000, interval: 100 },
    );
  for (const run of [repeated, overwritten]) {
    expect((await other.api('POST', `${path(run)}retry/`, {})).status).toBe(201);
    await completed(run.exportId, 2);
  }
  await completed(begun.exportId, 1);
  const files = (...parts: string[]) =>
    readdirSync(join(root, ...parts), { recursive: true }).filter((name) => String(name).includes('parquet'));
  expect(files('repeated')).toEqual([]);
  expect(await uuids(join(root, folder(), 'repeated'))).toEqual(sent);
  // By then another organization's file, which stays.
  expect(await uuids(join(root, 'events'))).toEqual(firsts);
  expect(await uuids(join(root, folder(), 'events'))).toEqual(sent);
  expect(await uuids(join(root, 'begun'))).toEqual(sent);
  expect(readdirSync(join(root, folder()))).not.toContain('begun');
  const { body } = await other.api<{ results: { message: string }[] }>('GET', `${path(begun)}logs/`);
  expect(body.results.map(({ message }) => message)).toContainEqual(
    expect.stringContaining('Continuing where an earlier attempt stopped: 1 file'),
  );
}, 120_000);
