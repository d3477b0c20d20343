import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { failHistoricalExport } from '../../src/apps/historical-exports/end.ts';
import { type AppsApi, MOST_HISTORICAL_EXPORTS, openApps } from './apps-kit.ts';
import { addStranger } from './start-api.ts';

/** contract.md §11.3–11.5, over HTTP. */

const TYPE = 'Export historical events V2';
const PAYLOAD = { dateRange: ['2021-06-10', '2022-06-12'], parallelism: 1 };

let api: AppsApi;
let base: string;

beforeAll(async () => {
  api = await openApps();
  base = `/api/projects/${api.projectId}`;
});
afterAll(() => api.close());

let others = 5000;
/** A number that no other test uses; whether there is such a plugin config is not asked. */
const fresh = () => String(++others);
const list = async (id: string | number) =>
  (await api.call('GET', `${base}/app_metrics/${id}/historical_exports/`)).body.results;

async function configured(): Promise<number> {
  const json = { plugin: 1, enabled: true, config: { url: 'https://hooks.example/events' } };
  return (await api.call('POST', `${base}/plugin_configs/`, { json })).body.id;
}

const start = (id: number | string, job?: unknown) =>
  api.call('POST', `${base}/plugin_configs/${id}/job/`, { json: job === undefined ? {} : { job } });

async function endAll(): Promise<void> {
  const jobs = await api.database.kysely
    .selectFrom('historical_exports')
    .select('id')
    .where('finished_at', 'is', null)
    .execute();
  for (const { id } of jobs) await failHistoricalExport(api.ports, id, 'The test is over.');
}

/** One entry of the activity log, as whoever runs historical exports writes it. */
async function log(
  itemId: string,
  activity: string,
  at: string,
  trigger: Record<string, unknown> | null,
  more: { teamId?: number; userId?: number | null; scope?: string } = {},
): Promise<void> {
  await api.database.kysely
    .insertInto('activity_log')
    .values({
      id: api.ports.newId(),
      organization_id: api.organizationId,
      team_id: more.teamId ?? api.projectId,
      user_id: more.userId === undefined ? api.userId : more.userId,
      scope: more.scope ?? 'PluginConfig',
      item_id: itemId,
      activity,
      detail: JSON.stringify(trigger === null ? {} : { trigger: { job_type: TYPE, ...trigger } }),
      created_at: new Date(at),
    })
    .execute();
}
const triggered = (id: string, job_id: string, at: string) =>
  log(id, 'job_triggered', at, { job_id, payload: PAYLOAD });

describe('§11.3 the list', () => {
  it('one row per job, newest first, as the last entries say', async () => {
    const id = fresh();
    await triggered(id, '1234', '2021-08-25T11:00:00Z');
    await log(id, 'export_fail', '2021-08-25T12:00:00Z', {
      job_id: '1234',
      payload: { failure_reason: 'first' },
    });
    await log(id, 'export_fail', '2021-08-25T13:00:00Z', {
      job_id: '1234',
      payload: { failure_reason: 'foobar' },
    });
    await triggered(id, 'ok', '2021-08-25T12:00:00Z');
    await log(id, 'export_fail', '2021-08-25T15:00:00Z', { job_id: 'ok', payload: {} });
    await log(id, 'export_success', '2021-08-25T14:30:00.500Z', { job_id: 'ok', payload: {} });
    await triggered(id, 'going', '2021-08-25T13:00:00.250Z');
    await triggered(id, 'wordless', '2021-08-25T10:00:00Z');
    await log(id, 'export_fail', '2021-08-25T10:00:01Z', {
      job_id: 'wordless',
      payload: { failure_reason: null },
    });
    const rows = await list(id);
    expect(rows).toEqual([
      {
        job_id: 'going',
        status: 'not_finished',
        payload: PAYLOAD,
        created_at: '2021-08-25T13:00:00.250000Z',
        created_by: expect.objectContaining({
          id: api.userId,
          hedgehog_config: null,
          role_at_organization: null,
        }),
      },
      {
        job_id: 'ok',
        status: 'success',
        payload: PAYLOAD,
        created_at: '2021-08-25T12:00:00Z',
        created_by: expect.objectContaining({ id: api.userId }),
        finished_at: '2021-08-25T14:30:00.500000Z',
        duration: 9000.5,
      },
      {
        job_id: '1234',
        status: 'fail',
        payload: PAYLOAD,
        created_at: '2021-08-25T11:00:00Z',
        created_by: expect.objectContaining({ id: api.userId, is_email_verified: true }),
        finished_at: '2021-08-25T13:00:00Z',
        duration: 7200,
        failure_reason: 'foobar',
      },
      {
        job_id: 'wordless',
        status: 'fail',
        payload: PAYLOAD,
        created_at: '2021-08-25T10:00:00Z',
        created_by: expect.objectContaining({ id: api.userId }),
        finished_at: '2021-08-25T10:00:01Z',
        duration: 1,
        failure_reason: null,
      },
    ]);
    const environments = `/api/environments/${api.projectId}/app_metrics/${id}/historical_exports`;
    expect((await api.call('GET', environments)).body).toEqual({ results: rows });
  });

  it('other configs, projects, jobs, scopes and endings of nothing are not in it', async () => {
    const stranger = await addStranger(api);
    const id = fresh();
    const at = '2021-08-25T11:00:00Z';
    await triggered(id, 'mine', at);
    await triggered(fresh(), 'another config', at);
    await log(
      id,
      'job_triggered',
      at,
      { job_id: 'theirs', payload: PAYLOAD },
      { teamId: stranger.projectId },
    );
    await log(id, 'job_triggered', at, { job_id: 'of another type', job_type: 'Other', payload: {} });
    await log(id, 'job_triggered', at, { job_id: 'of another thing', payload: {} }, { scope: 'Insight' });
    await log(id, 'export_success', at, { job_id: 'never triggered', payload: {} });
    await log(id, 'export_success', at, { job_id: 'mine', job_type: 'Other', payload: {} });
    await log(id, 'export_success', at, null);
    await log(id, 'updated', at, { job_id: 'mine', payload: {} });
    expect((await list(id)).map((row: { job_id: string }) => row.job_id)).toEqual(['mine']);
    expect((await list(id))[0].status).toBe('not_finished');
    const theirs = `/api/projects/${stranger.projectId}/app_metrics/${id}/historical_exports/`;
    const seen = (await api.call('GET', theirs, { key: stranger.key })).body.results;
    expect(seen.map((row: { job_id: string }) => row.job_id)).toEqual(['theirs']);
    expect((await api.call('GET', `${theirs}mine/`, { key: stranger.key })).status).toBe(404);
    expect((await api.call('GET', `${base}/app_metrics/${id}/historical_exports/theirs/`)).status).toBe(404);
  });

  it('nobody and nothing', async () => {
    expect(await list(fresh())).toEqual([]);
    const id = fresh();
    await log(
      id,
      'job_triggered',
      '2021-08-25T11:00:00Z',
      { job_id: 'x', payload: PAYLOAD },
      { userId: null },
    );
    expect((await list(id))[0].created_by).toBeNull();
  });
});

describe('§11.4 one of them', () => {
  const one = (id: string, job: string) =>
    api.call('GET', `${base}/app_metrics/${id}/historical_exports/${job}/`);

  it('01:00 to 05:00 is the hours 00 to 06, of this job and category', async () => {
    const id = fresh();
    await triggered(id, 'j', '2021-08-25T01:00:00Z');
    await log(id, 'export_success', '2021-08-25T05:00:00Z', { job_id: 'j', payload: {} });
    const row = { plugin_config_id: Number(id), category: 'exportEvents', job_id: 'j' };
    await api.count(
      { ...row, timestamp: '2021-08-24 23:59:59', successes: 100 },
      { ...row, timestamp: '2021-08-25 00:00:00', successes: 1 },
      { ...row, timestamp: '2021-08-25 04:30:00', successes: 4, successes_on_retry: 2 },
      {
        ...row,
        timestamp: '2021-08-25 05:59:59',
        failures: 3,
        error_type: 'Oops',
        error_uuid: api.ports.newId(),
      },
      { ...row, timestamp: '2021-08-25 06:00:00', successes: 100 },
      { ...row, timestamp: '2021-08-25 02:00:00', successes: 100, job_id: 'k' },
      { ...row, timestamp: '2021-08-25 02:00:00', successes: 100, category: 'onEvent' },
    );
    const { status, body } = await one(id, 'j');
    expect(status).toBe(200);
    expect(body).toEqual({
      summary: (await list(id))[0],
      metrics: {
        dates: [0, 1, 2, 3, 4, 5, 6].map((hour) => `2021-08-25 0${hour}:00:00`),
        successes: [1, 0, 0, 0, 4, 0, 0],
        successes_on_retry: [0, 0, 0, 0, 2, 0, 0],
        failures: [0, 0, 0, 0, 0, 3, 0],
        totals: { successes: 5, successes_on_retry: 2, failures: 3 },
      },
      errors: [{ error_type: 'Oops', count: 1, last_seen: '2021-08-25T05:59:59Z' }],
    });
  });

  it.each([
    // 2021-08-25 01:00 UTC is 06:45 in Kathmandu.
    ['Asia/Kathmandu', '2021-08-25T01:00:00Z', '2021-08-25T03:00:00Z', ['05', '06', '07', '08', '09']],
    ['America/New_York', '2021-11-07T05:30:00Z', '2021-11-07T06:30:00Z', ['00', '01', '01', '02']],
    ['America/New_York', '2021-03-14T06:30:00Z', '2021-03-14T07:30:00Z', ['00', '01', '03', '04']],
  ])('hours of %s from %s', async (zone, begun, ended, hours) => {
    const id = fresh();
    await triggered(id, 'j', begun);
    await log(id, 'export_success', ended, { job_id: 'j', payload: {} });
    await api.zone(zone);
    const { dates } = (await one(id, 'j')).body.metrics;
    await api.zone('UTC');
    expect(dates.map((date: string) => date.slice(11, 13))).toEqual(hours);
  });

  it('under way: until now, in days from two days on', async () => {
    const id = fresh();
    await triggered(id, 'short', '2021-12-05T10:40:00Z');
    await triggered(id, 'long', '2021-12-02T10:40:00Z');
    const dates = async (job: string) => (await one(id, job)).body.metrics.dates;
    expect(await dates('short')).toEqual(
      ['09', '10', '11', '12', '13'].map((hour) => `2021-12-05 ${hour}:00:00`),
    );
    expect(await dates('long')).toEqual(['2021-12-02', '2021-12-03', '2021-12-04', '2021-12-05']);
  });

  it('§15 an unknown job, an unknown config and no number are 404', async () => {
    const id = fresh();
    await triggered(id, 'j', '2021-12-05T10:40:00Z');
    for (const [config, job] of [
      [id, 'k'],
      [fresh(), 'j'],
      ['abc', 'j'],
      [id, '%00'],
      [id, "j'--"],
    ] as const) {
      expect(await one(config, job)).toMatchObject({
        status: 404,
        body: { code: 'not_found', type: 'invalid_request' },
      });
    }
  });
});

describe('§11.5 starting one', () => {
  it('answers 200 and nothing, and is there at once', async () => {
    const id = await configured();
    const answer = await start(id, { type: TYPE, payload: PAYLOAD, operation: 'start' });
    expect([answer.status, answer.text]).toEqual([200, '']);
    const [row, ...rest] = await list(id);
    expect(rest).toEqual([]);
    expect(row).toEqual({
      job_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: 'not_finished',
      payload: PAYLOAD,
      created_at: '2021-12-05T13:23:00Z',
      created_by: expect.objectContaining({ id: api.userId }),
      progress: 0,
    });
    const stored = await api.database.kysely
      .selectFrom('historical_exports')
      .selectAll()
      .where('id', '=', row.job_id)
      .executeTakeFirstOrThrow();
    expect(stored).toMatchObject({
      team_id: api.projectId,
      plugin_config_id: id,
      status: 'Starting',
      parallelism: 1,
      event_from: new Date('2021-06-10T00:00:00Z'),
      event_to: new Date('2022-06-13T00:00:00Z'),
    });
    const entry = await api.database.kysely
      .selectFrom('activity_log')
      .selectAll()
      .where('activity', '=', 'job_triggered')
      .where('item_id', '=', String(id))
      .executeTakeFirstOrThrow();
    expect(entry.detail).toEqual({ trigger: { job_type: TYPE, job_id: row.job_id, payload: PAYLOAD } });
  });

  it('takes what had arrived, also by stamps that are ahead of the clock', async () => {
    const id = await configured();
    const ask = async () => {
      await start(id, { type: TYPE, payload: PAYLOAD });
      const row = await api.database.kysely
        .selectFrom('historical_exports')
        .select('arrival_before')
        .where('plugin_config_id', '=', id)
        .orderBy('id', 'desc')
        .executeTakeFirstOrThrow();
      await endAll();
      return row.arrival_before.toISOString();
    };
    expect(await ask()).toBe('2021-12-05T13:23:00.001Z');
    api.clock.set('2021-12-05T14:00:00Z');
    api.stamps.next();
    api.clock.set('2021-12-05T13:23:00Z');
    expect(await ask()).toBe('2021-12-05T14:00:00.001Z');
  });

  it('days are the project’s own, 23 and 25 hours long when they are', async () => {
    await api.zone('America/New_York');
    const id = await configured();
    await start(id, { type: TYPE, payload: { dateRange: ['2021-03-14', '2021-03-14'], parallelism: '3' } });
    await start(id, { type: TYPE, payload: { dateRange: ['2021-11-07', '2021-11-07'] } });
    await api.zone('Asia/Kathmandu');
    await start(id, { type: TYPE, payload: { dateRange: ['2021-11-07', '2021-11-08'] } });
    await api.zone('UTC');
    const rows = await api.database.kysely
      .selectFrom('historical_exports')
      .selectAll()
      .where('plugin_config_id', '=', id)
      .orderBy('id')
      .execute();
    const iso = (date: Date) => date.toISOString().slice(0, 16);
    expect(rows.map((row) => [iso(row.event_from), iso(row.event_to), row.parallelism])).toEqual([
      ['2021-03-14T05:00', '2021-03-15T04:00', 3],
      ['2021-11-07T04:00', '2021-11-08T05:00', 1],
      ['2021-11-06T18:15', '2021-11-08T18:15', 1],
    ]);
  });

  it('shows how far it is until it ends, and why it failed', async () => {
    const id = await configured();
    await start(id, { type: TYPE, payload: PAYLOAD });
    const [{ job_id: job }] = await list(id);
    await api.database.kysely
      .updateTable('historical_exports')
      .set({ status: 'Running', progress: 0.25 })
      .where('id', '=', job)
      .execute();
    expect((await list(id))[0].progress).toBe(0.25);
    api.clock.advance(90_500);
    await failHistoricalExport(api.ports, job, 'The receiver is gone.');
    api.clock.set('2021-12-05T13:23:00Z');
    const row = (await api.call('GET', `${base}/app_metrics/${id}/historical_exports/${job}`)).body.summary;
    expect(row).toMatchObject({ status: 'fail', duration: 90.5, failure_reason: 'The receiver is gone.' });
    expect(row).not.toHaveProperty('progress');
  });

  it('days that are under way are refused until they have ended, also when asked for twice at once', async () => {
    const id = await configured();
    const job = { type: TYPE, payload: PAYLOAD };
    const answers = await Promise.all([start(id, job), start(id, job)]);
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.body).toMatchObject({
      type: 'invalid_request',
      code: 'conflict',
      attr: null,
    });
    expect(await list(id)).toHaveLength(1);
    const others = { ...PAYLOAD, dateRange: ['2021-06-10', '2022-06-11'] };
    expect((await start(id, { ...job, payload: others })).status).toBe(200);
    await endAll();
    expect((await start(id, job)).status).toBe(200);
    expect(await list(id)).toHaveLength(3);
  });

  it('a project has so many at once; one more is refused until one has ended', async () => {
    await endAll();
    const ids = await Promise.all(Array.from({ length: MOST_HISTORICAL_EXPORTS + 1 }, configured));
    const job = { type: TYPE, payload: PAYLOAD };
    const answers = await Promise.all(ids.map((id) => start(id, job)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(MOST_HISTORICAL_EXPORTS);
    const refused = answers.findIndex(({ status }) => status !== 200);
    expect(answers[refused]).toMatchObject({
      status: 429,
      body: { type: 'server_error', code: 'too_many_concurrent_historical_exports', attr: null },
    });
    await endAll();
    expect((await start(ids[refused] ?? 0, job)).status).toBe(200);
  });

  const payload = 'job__payload';
  it.each<[string, unknown, string, string | null]>([
    ['no job', undefined, 'invalid_input', null],
    ['no type', { payload: PAYLOAD }, 'invalid_input', null],
    ['an empty type', { type: '', payload: PAYLOAD }, 'invalid_input', null],
    ['another type', { type: 'Export', payload: PAYLOAD }, 'invalid_input', null],
    [
      'another operation',
      { type: TYPE, payload: PAYLOAD, operation: 'stop' },
      'invalid_input',
      'job__operation',
    ],
    ['no payload', { type: TYPE }, 'required', payload],
    ['a payload of text', { type: TYPE, payload: 'x' }, 'not_a_dict', payload],
    ['no dates', { type: TYPE, payload: {} }, 'required', `${payload}__dateRange`],
    [
      'one date',
      { type: TYPE, payload: { dateRange: ['2021-01-01'] } },
      'invalid_input',
      `${payload}__dateRange`,
    ],
    [
      'no such day',
      { type: TYPE, payload: { dateRange: ['2021-02-30', '2021-03-01'] } },
      'invalid_input',
      `${payload}__dateRange`,
    ],
    [
      'no date',
      { type: TYPE, payload: { dateRange: ['-7d', '2021-03-01'] } },
      'invalid_input',
      `${payload}__dateRange`,
    ],
    [
      'a year of no event',
      { type: TYPE, payload: { dateRange: ['0001-01-01', '2021-03-01'] } },
      'invalid_input',
      `${payload}__dateRange`,
    ],
    [
      'days the wrong way round',
      { type: TYPE, payload: { dateRange: ['2021-01-02', '2021-01-01'] } },
      'invalid_input',
      `${payload}__dateRange`,
    ],
    [
      'none at once',
      { type: TYPE, payload: { ...PAYLOAD, parallelism: 0 } },
      'min_value',
      `${payload}__parallelism`,
    ],
    [
      'too many at once',
      { type: TYPE, payload: { ...PAYLOAD, parallelism: 101 } },
      'max_value',
      `${payload}__parallelism`,
    ],
    [
      'one and a half',
      { type: TYPE, payload: { ...PAYLOAD, parallelism: 1.5 } },
      'invalid_input',
      `${payload}__parallelism`,
    ],
  ])('%s is refused', async (_, job, code, attr) => {
    const id = await configured();
    expect(await start(id, job)).toMatchObject({
      status: 400,
      body: { type: 'validation_error', code, attr },
    });
    expect(await list(id)).toEqual([]);
  });
});
