import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';

/** contract.md §15, of batch exports: where upstream answers 500, line by line. */
let bench: ServedBench;
let id: string;
let run: string;
beforeAll(async () => {
  bench = await serveBench();
  ({ id } = await bench.create({ interval: 'week', offset_day: 2, offset_hour: 7 }));
  bench.clock.advance(8 * 86_400_000);
  await bench.feature.tick(100);
  run = (await bench.call('GET', `batch_exports/${id}/runs?after=2026-01-01`)).body.results[0].id;
});
afterAll(() => bench.close());

const refused = (code: string, attr: string | null, status = 400) => ({ status, body: { code, attr } });

it.each([
  ['type', { config: {} }, 'destination__type'],
  ['config', { type: 'Filesystem' }, 'destination__config'],
])('PATCH of a destination without its %s', async (_, destination, attr) => {
  expect(await bench.call('PATCH', `batch_exports/${id}`, { destination })).toMatchObject(
    refused('required', attr),
  );
});

it.each([
  [{ offset_day: 4 }, [4, 7]],
  [{ offset_hour: 9 }, [4, 9]],
])('PATCH of offsets alone is applied: %j', async (change, offsets) => {
  const { status, body } = await bench.call('PATCH', `batch_exports/${id}`, change);
  expect([status, body.offset_day, body.offset_hour]).toEqual([200, ...offsets]);
});

it('logs of a run are answered', async () => {
  const line = { team_id: bench.teamId, log_source: 'batch_exports', log_source_id: id, level: 'INFO' };
  const at = { timestamp: new Date(bench.clock.now()) };
  await bench.db
    .insertInto('log_entries')
    .values([
      { ...line, ...at, instance_id: run, message: 'mine' },
      { ...line, ...at, instance_id: crypto.randomUUID(), message: 'of another run' },
    ])
    .execute();
  const { status, body } = await bench.call('GET', `batch_exports/${id}/runs/${run}/logs`);
  expect([status, body.results.map(({ message }: Json) => message)]).toEqual([200, ['mine']]);
});

describe('connection tests', () => {
  const nowhere = { destination: { type: 'NoOp', config: {} } };
  it.each<[string, Json, string, string]>([
    ['a step that is not there', { step: 1 }, 'invalid_input', 'step'],
    ['a step before the first', { step: -1 }, 'min_value', 'step'],
    ['a destination without a test', nowhere, 'invalid_input', 'destination'],
    ['no destination', { destination: undefined }, 'required', 'destination'],
  ])('%s', async (_, change, code, attr) => {
    const fresh = await bench.call('POST', 'batch_exports/run_test_step_new', { ...toFiles(), ...change });
    expect(fresh).toMatchObject(refused(code, attr));
    const { destination } = toFiles();
    const stored = await bench.call('POST', `batch_exports/${id}/run_test_step`, { destination, ...change });
    // Of a stored export, another type is told before that it has no test.
    expect(stored).toMatchObject(refused(code, attr));
  });
});

describe('backfills', () => {
  const path = () => `batch_exports/${id}/backfills`;
  it.each([
    ['with a start', '2026-02-05'],
    ['of all history', null],
  ])('%s and without an end', async (_, start_at) => {
    const answer = await bench.call('POST', path(), { start_at, end_at: null });
    expect(answer).toMatchObject(refused('invalid_input', null));
  });

  it('of a range that is being backfilled', async () => {
    const range = { start_at: '2026-02-05', end_at: '2026-02-12' };
    expect((await bench.call('POST', path(), range)).status).toBe(201);
    const again = await bench.call('POST', path(), range);
    expect(again).toMatchObject({ ...refused('conflict', null, 409), body: { type: 'invalid_request' } });
  });
});

it.each([
  ['GET', 'runs'],
  ['GET', 'runs/RUN'],
  ['GET', 'runs/RUN/logs'],
  ['POST', 'runs/RUN/retry'],
  ['POST', 'runs/RUN/cancel'],
  ['GET', 'backfills'],
  ['POST', 'backfills'],
  ['GET', 'backfills/RUN'],
  ['POST', 'backfills/RUN/cancel'],
  ['POST', 'backfill'],
  ['POST', 'run_test_step'],
])('a parent that is no UUID: %s %s', async (method, path) => {
  const body = method === 'POST' ? { destination: toFiles().destination } : undefined;
  const answer = await bench.call(method, `batch_exports/no-uuid/${path.replace('RUN', run)}`, body);
  expect(answer).toMatchObject({ ...refused('not_found', null, 404), body: { type: 'invalid_request' } });
});
