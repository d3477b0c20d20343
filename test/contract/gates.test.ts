import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** contract.md §1.8: gates as settings of a started server. */
let sluice: RunningSluice;
beforeAll(async () => {
  sluice = await startSluice({
    env: { SLUICE_CLOSED_GATES: 'high-frequency-batch-exports, batch-export-earliest-backfill' },
  });
});
afterAll(async () => {
  await sluice?.stop();
});

const files = { type: 'Filesystem', config: {} };
const base = () => `/api/projects/${sluice.ready.project_id}/batch_exports`;

it('closed gates refuse, open ones do not', async () => {
  const create = (more: object) => sluice.api<{ id: string; code: string }>('POST', `${base()}/`, more);
  const refused = await create({ name: 'x', destination: files, interval: 'every 5 minutes' });
  expect([refused.status, refused.body.code]).toEqual([403, 'permission_denied']);
  const step = await sluice.api('POST', `${base()}/run_test_step_new/`, {
    name: 'x',
    destination: files,
    interval: 'every 15 minutes',
  });
  expect(step.status).toBe(403);
  const made = await create({ name: 'x', destination: files, interval: 'hour', paused: true });
  expect(made.status).toBe(201);
  const workflows = { type: 'Workflows', config: { hog_function_id: 'f' } };
  expect((await create({ name: 'w', destination: workflows, interval: 'hour' })).status).toBe(201);
  const history = await sluice.api<{ code: string; attr: null }>(
    'POST',
    `${base()}/${made.body.id}/backfills/`,
    {
      start_at: null,
      end_at: '2026-01-01T00:00:00Z',
    },
  );
  expect([history.status, history.body.code, history.body.attr]).toEqual([400, 'invalid_input', null]);
});

it('a gate that does not exist is a bad setting, named', async () => {
  await expect(startSluice({ env: { SLUICE_CLOSED_GATES: 'everything' } })).rejects.toThrow(
    /SLUICE_CLOSED_GATES/,
  );
});
