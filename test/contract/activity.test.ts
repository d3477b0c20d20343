import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Json, type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';

/** Every mutating call of batch exports leaves one row in the activity log, and no secret in it; refused ones leave none. */
let bench: ServedBench;
beforeAll(async () => {
  bench = await serveBench();
});
afterAll(() => bench.close());

const HTTP = { url: 'https://us.i.posthog.com/batch/', token: 'hush-hush' };
const toHttp = (config: Record<string, unknown> = HTTP) => ({ type: 'HTTP', config });

let id: string;
beforeEach(async () => {
  bench.clock.set('2026-03-05T10:20:00Z');
  id = (await bench.create({ destination: toHttp() })).id;
  await bench.db.deleteFrom('activity_log').execute();
});

async function run(): Promise<string> {
  bench.clock.advance(3_600_000);
  await bench.feature.tick(100);
  const { body } = await bench.call('GET', `batch_exports/${id}/runs`);
  return body.results[0].id;
}
const range = { start_at: '2026-03-01T00:00:00Z', end_at: '2026-03-01T02:00:00Z' };
async function backfill(): Promise<string> {
  const { body } = await bench.call('POST', `batch_exports/${id}/backfills`, range);
  return body.backfill_id;
}

const changed = (...changes: [field: string, before: unknown, after: unknown][]) => ({
  name: expect.any(String),
  changes: changes.map(([field, before, after]) => ({ field, before, after })),
});

/** Prepares if there is something to prepare, and then does the call that counts. */
type Call = () => Promise<readonly [method: string, path: string, body?: Json]>;
const cases: [activity: string, Call, detail: Json][] = [
  ['created', async () => ['POST', 'batch_exports', { ...toFiles(), name: 'New' }], { name: 'New' }],
  [
    'updated',
    async () => [
      'PATCH',
      `batch_exports/${id}`,
      { name: 'Renamed', interval: 'hour', timezone: 'Europe/Berlin' },
    ],
    changed(['name', 'Events to files', 'Renamed'], ['timezone', 'UTC', 'Europe/Berlin']),
  ],
  ['updated', async () => ['PATCH', `batch_exports/${id}`, {}], changed()],
  [
    'updated',
    async () => ['PATCH', `batch_exports/${id}`, { destination: toHttp({ token: 'another-hush-hush' }) }],
    changed(['destination.secrets', null, null]),
  ],
  [
    'updated',
    async () => ['PATCH', `batch_exports/${id}`, { destination: toHttp({ token: HTTP.token }) }],
    changed(),
  ],
  [
    'updated',
    async () => ['PUT', `batch_exports/${id}`, { ...toFiles(), destination: toHttp(), paused: true }],
    changed(['paused', false, true]),
  ],
  ['paused', async () => ['POST', `batch_exports/${id}/pause`], {}],
  [
    'unpaused',
    async () => {
      await bench.call('POST', `batch_exports/${id}/pause`);
      return ['POST', `batch_exports/${id}/unpause`, { backfill: false }];
    },
    { backfill: false },
  ],
  ['deleted', async () => ['DELETE', `batch_exports/${id}`], { name: 'Events to files' }],
  ['backfill_created', async () => ['POST', `batch_exports/${id}/backfills`, range], range],
  [
    'backfill_cancelled',
    async () => ['POST', `batch_exports/${id}/backfills/${await backfill()}/cancel`],
    { backfill_id: expect.any(String) },
  ],
  [
    'run_cancelled',
    async () => ['POST', `batch_exports/${id}/runs/${await run()}/cancel`],
    { run_id: expect.any(String) },
  ],
  [
    'run_retried',
    async () => ['POST', `batch_exports/${id}/runs/${await run()}/retry`],
    { run_id: expect.any(String) },
  ],
];

const rows = () => bench.db.selectFrom('activity_log').selectAll().orderBy('id').execute();

it.each(cases)('%s', async (activity, prepare, detail) => {
  const [method, path, body] = await prepare();
  const before = (await rows()).length;
  const { status } = await bench.call(method, path, body);
  expect(status).toBeLessThan(300);
  const written = (await rows()).slice(before);
  expect(written).toEqual([
    expect.objectContaining({
      activity,
      detail,
      scope: 'BatchExport',
      team_id: bench.teamId,
      organization_id: bench.organizationId,
      user_id: 1,
    }),
  ]);
  if (activity !== 'created') expect(written[0]?.item_id).toBe(id);
  expect(JSON.stringify(written)).not.toContain('hush');
});

it.each<[string, number, Call]>([
  ['a bad change', 400, async () => ['PATCH', `batch_exports/${id}`, { interval: 'month' }]],
  [
    'a bad destination',
    400,
    async () => ['PATCH', `batch_exports/${id}`, { destination: toHttp({ nothing: 1 }) }],
  ],
  [
    'a bad backfill',
    400,
    async () => ['POST', `batch_exports/${id}/backfills`, { start_at: range.end_at, end_at: range.start_at }],
  ],
  ['an unpause of what runs', 200, async () => ['POST', `batch_exports/${id}/unpause`]],
  ['a connection test', 200, async () => ['POST', 'batch_exports/run_test_step_new', toFiles()]],
])('%s, answered %i, leaves none', async (_, expected, prepare) => {
  const [method, path, body] = await prepare();
  expect((await bench.call(method, path, body)).status).toBe(expected);
  expect(await rows()).toEqual([]);
});

it('§6 whoever has no current project cannot unpause', async () => {
  const project = await bench.db.selectFrom('users').select('current_project_id').executeTakeFirstOrThrow();
  const set = (current_project_id: number | null) =>
    bench.db.updateTable('users').set({ current_project_id }).execute();
  await set(null);
  const { status, body } = await bench.call('POST', `batch_exports/${id}/unpause`);
  await set(project.current_project_id);
  expect([status, body.code]).toEqual([401, 'not_authenticated']);
});
