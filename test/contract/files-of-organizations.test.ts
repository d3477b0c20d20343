import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { backfill, capture, createExport, uuids, yesterday } from '../flows/main-job.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** Two organizations write to the same prefix of one disk, for the same interval. */
const { start, end } = yesterday();
const [day, nextDay] = [start, end].map((date) => date.toISOString().slice(0, 10)) as [string, string];
const destination = (prefix: string) => ({ type: 'Filesystem', config: { prefix, file_format: 'Parquet' } });

let sluice: RunningSluice;
let other: RunningSluice;
const folder = () => `organization-${other.ready.organization_id}`;

beforeAll(async () => {
  sluice = await startSluice();
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
afterAll(async () => void (await sluice?.stop()));

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
