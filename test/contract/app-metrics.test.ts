import { v7 } from 'uuid';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AppsApi, openApps } from './apps-kit.ts';
import { addStranger } from './start-api.ts';

/** contract.md §2 and §11.1–11.2, over HTTP, with the clock at 2021-12-05T13:23:00Z unless a test sets it. */

const NOW = '2021-12-05T13:23:00Z';
const UUID = (n: number) => `017b0000-0000-0000-0000-${String(n).padStart(12, '0')}`;

let api: AppsApi;
let configs = 0;

beforeAll(async () => {
  api = await openApps();
});
afterAll(() => api.close());

/** A plugin config that no other test counts for; §11.1 does not ask whether there is one. */
const fresh = () => 1000 + ++configs;
const at = (id: string | number, query = '', area = 'projects') =>
  api.call('GET', `/api/${area}/${api.projectId}/app_metrics/${id}/${query}`);

const hoursOf = (date: string, ...hours: number[]) =>
  hours.map((hour) => `${date} ${String(hour).padStart(2, '0')}:00:00`);
const fromTo = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const daysOf = (first: string, last: string) => {
  const days: string[] = [];
  for (let day = Date.parse(first); day <= Date.parse(last); day += 86_400_000) {
    days.push(new Date(day).toISOString().slice(0, 10));
  }
  return days;
};

interface Case {
  readonly name: string;
  readonly zone?: string;
  readonly now?: string;
  readonly query?: string;
  readonly dates: readonly string[];
  /** UTC moments of one success each, and the label they belong to; null = outside. */
  readonly rows: readonly (readonly [moment: string, label: string | null])[];
}

const CASES: readonly Case[] = [
  {
    name: '§11.1 default: 30 days back from local midnight',
    dates: daysOf('2021-11-05', '2021-12-05'),
    rows: [
      ['2021-11-04 23:59:59.999999', null],
      ['2021-11-05 00:00:00', '2021-11-05'],
      ['2021-11-28 00:00:00', '2021-11-28'],
      ['2021-12-05 13:22:59.999999', '2021-12-05'],
      ['2021-12-05 13:23:00', null],
    ],
  },
  {
    name: '§2 -7d is eight days',
    query: '?date_from=-7d',
    dates: daysOf('2021-11-28', '2021-12-05'),
    rows: [
      ['2021-11-27 23:59:59.999999', null],
      ['2021-11-28 00:00:00', '2021-11-28'],
      ['2021-11-29 12:00:00', '2021-11-29'],
    ],
  },
  {
    name: '§11.1 -13h to -5h is nine hours, and the last ends where it begins',
    query: '?date_from=-13h&date_to=-5h',
    dates: hoursOf('2021-12-05', ...fromTo(0, 8)),
    rows: [
      ['2021-12-04 23:59:59.999999', null],
      ['2021-12-05 00:00:00', '2021-12-05 00:00:00'],
      ['2021-12-05 07:59:59.999999', '2021-12-05 07:00:00'],
      ['2021-12-05 08:00:00', null],
    ],
  },
  {
    name: '§2 mStart',
    query: '?date_from=mStart',
    dates: daysOf('2021-12-01', '2021-12-05'),
    rows: [
      ['2021-11-30 23:00:00', null],
      ['2021-12-01 00:00:00', '2021-12-01'],
    ],
  },
  { name: '§2 -1mStart', query: '?date_from=-1mStart', dates: daysOf('2021-11-01', '2021-12-05'), rows: [] },
  { name: '§2 yStart', query: '?date_from=yStart', dates: daysOf('2021-01-01', '2021-12-05'), rows: [] },
  {
    name: '§2 absolute values are not truncated',
    query: '?date_from=2021-12-01T06:30:00&date_to=2021-12-03T12:15:00Z',
    dates: daysOf('2021-12-01', '2021-12-03'),
    rows: [
      ['2021-12-01 06:29:59', null],
      ['2021-12-01 06:30:00', '2021-12-01'],
      ['2021-12-03 12:14:59', '2021-12-03'],
      ['2021-12-03 12:15:00', null],
    ],
  },
  {
    name: '§11.1 hours of an absolute window',
    query: '?date_from=2021-12-03T22:30&date_to=2021-12-04T01:10',
    dates: [...hoursOf('2021-12-03', 22, 23), ...hoursOf('2021-12-04', 0, 1)],
    rows: [
      ['2021-12-03 22:29:00', null],
      ['2021-12-03 22:30:00', '2021-12-03 22:00:00'],
      ['2021-12-04 01:09:00', '2021-12-04 01:00:00'],
      ['2021-12-04 01:10:00', null],
    ],
  },
  {
    name: '§2 what means nothing means now',
    query: '?date_from=never',
    dates: hoursOf('2021-12-05', 13),
    rows: [],
  },
  { name: '§11.1 the end before the beginning', query: '?date_from=-1d&date_to=-3d', dates: [], rows: [] },
  {
    name: 'Kathmandu, days begin at 18:15 UTC',
    zone: 'Asia/Kathmandu',
    query: '?date_from=-7d',
    dates: daysOf('2021-11-28', '2021-12-05'),
    rows: [
      ['2021-11-27 18:14:59.999999', null],
      ['2021-11-27 18:15:00', '2021-11-28'],
      ['2021-11-28 18:14:59', '2021-11-28'],
      ['2021-11-28 18:15:00', '2021-11-29'],
      ['2021-12-04 18:15:00', '2021-12-05'],
    ],
  },
  {
    name: 'Kathmandu, hours begin at a quarter past; now is 19:08',
    zone: 'Asia/Kathmandu',
    query: '?date_from=-2h',
    dates: hoursOf('2021-12-05', 17, 18, 19),
    rows: [
      ['2021-12-05 11:14:59', null],
      ['2021-12-05 11:15:00', '2021-12-05 17:00:00'],
      ['2021-12-05 12:14:59', '2021-12-05 17:00:00'],
      ['2021-12-05 12:15:00', '2021-12-05 18:00:00'],
      ['2021-12-05 13:15:00', '2021-12-05 19:00:00'],
    ],
  },
  {
    name: 'Kathmandu, naive dates are local ones, offsets are obeyed',
    zone: 'Asia/Kathmandu',
    query: '?date_from=2021-12-01&date_to=2021-12-04T00:00:00%2B00:00',
    dates: daysOf('2021-12-01', '2021-12-04'),
    rows: [
      ['2021-11-30 18:14:59', null],
      ['2021-11-30 18:15:00', '2021-12-01'],
      ['2021-12-03 23:59:59', '2021-12-04'],
      ['2021-12-04 00:00:00', null],
    ],
  },
  {
    name: 'New York, days through the end of summer time: 7 November has 25 hours',
    zone: 'America/New_York',
    now: '2021-11-09T17:00:00Z',
    query: '?date_from=-4d',
    dates: daysOf('2021-11-05', '2021-11-09'),
    rows: [
      ['2021-11-05 03:59:59', null],
      ['2021-11-05 04:00:00', '2021-11-05'],
      ['2021-11-07 03:59:59', '2021-11-06'],
      ['2021-11-07 04:00:00', '2021-11-07'],
      ['2021-11-08 04:59:59', '2021-11-07'],
      ['2021-11-08 05:00:00', '2021-11-08'],
    ],
  },
  {
    name: 'New York, the hour that comes twice is two buckets',
    zone: 'America/New_York',
    now: '2021-11-07T08:30:00Z',
    query: '?date_from=-4h',
    // Four hours before 03:30 EST is 00:30 EDT.
    dates: hoursOf('2021-11-07', 0, 1, 1, 2, 3),
    rows: [
      ['2021-11-07 03:59:59', null],
      ['2021-11-07 04:00:00', '0'],
      ['2021-11-07 05:10:00', '1'],
      ['2021-11-07 05:20:00', '1'],
      ['2021-11-07 06:10:00', '2'],
      ['2021-11-07 07:10:00', '3'],
      ['2021-11-07 08:10:00', '4'],
    ],
  },
  {
    name: 'New York, days through the beginning of summer time: 14 March has 23 hours',
    zone: 'America/New_York',
    now: '2021-03-16T12:00:00Z',
    query: '?date_from=-3d',
    dates: daysOf('2021-03-13', '2021-03-16'),
    rows: [
      ['2021-03-13 04:59:59', null],
      ['2021-03-13 05:00:00', '2021-03-13'],
      ['2021-03-14 05:00:00', '2021-03-14'],
      ['2021-03-15 03:59:59', '2021-03-14'],
      ['2021-03-15 04:00:00', '2021-03-15'],
    ],
  },
  {
    name: 'New York, the hour that is skipped is no bucket',
    zone: 'America/New_York',
    now: '2021-03-14T08:30:00Z',
    query: '?date_from=-3h',
    // 04:30 EDT; three hours before is 00:30 EST.
    dates: hoursOf('2021-03-14', 0, 1, 3, 4),
    rows: [
      ['2021-03-14 04:59:59', null],
      ['2021-03-14 05:00:00', '2021-03-14 00:00:00'],
      ['2021-03-14 06:59:59', '2021-03-14 01:00:00'],
      ['2021-03-14 07:00:00', '2021-03-14 03:00:00'],
      ['2021-03-14 08:00:00', '2021-03-14 04:00:00'],
    ],
  },
];

describe('windows and buckets', () => {
  it.each(CASES)('$name', async ({ zone = 'UTC', now = NOW, query = '', dates, rows }) => {
    await api.zone(zone);
    api.clock.set(now);
    const id = fresh();
    if (rows.length > 0) {
      // Rows of one job, category and UTC hour become one row in the table, with the time of any of them.
      const counted = rows.map(([timestamp], i) => ({
        timestamp,
        plugin_config_id: id,
        job_id: `job ${i}`,
        successes: 1,
      }));
      await api.count(...counted);
    }
    const { status, body } = await at(id, query, id % 2 === 0 ? 'projects' : 'environments');
    expect(status).toBe(200);
    expect(body.metrics.dates).toEqual(dates);
    // A label, or the number of a bucket where two have one label.
    const expected = dates.map(
      (label, i) => rows.filter(([, wanted]) => wanted === label || wanted === String(i)).length,
    );
    const total = rows.filter(([, wanted]) => wanted !== null).length;
    const zeros = dates.map(() => 0);
    expect(body).toEqual({
      metrics: {
        dates,
        successes: expected,
        successes_on_retry: zeros,
        failures: zeros,
        totals: { successes: total, successes_on_retry: 0, failures: 0 },
      },
      errors: [],
    });
    await api.zone('UTC');
    api.clock.set(NOW);
  });
});

describe('§11.1c what is counted', () => {
  it('sums the three, leaves out successes of composeWebhook, and filters by category and job', async () => {
    const id = fresh();
    const common = { plugin_config_id: id, timestamp: '2021-12-05 00:10:00' };
    await api.count(
      { ...common, category: 'exportEvents', job_id: 'a', successes: 3, failures: 2 },
      { ...common, category: 'exportEvents', job_id: 'b', successes: 5, successes_on_retry: 7 },
      { ...common, category: 'composeWebhook', successes: 11, successes_on_retry: 13, failures: 17 },
      { ...common, category: 'onEvent', timestamp: '2021-12-04 23:00:00', successes: 19 },
    );
    const totals = async (query: string) => {
      const { body } = await at(id, `?date_from=-7d${query}`);
      expect(body.metrics.successes.at(-2)).toBe(query === '' ? 19 : 0);
      return Object.values(body.metrics.totals);
    };
    expect(await totals('')).toEqual([27, 20, 19]);
    expect(await totals('&category=exportEvents')).toEqual([8, 7, 2]);
    expect(await totals('&category=composeWebhook')).toEqual([0, 13, 17]);
    expect(await totals('&job_id=b')).toEqual([5, 7, 0]);
    expect(await totals('&category=exportEvents&job_id=a')).toEqual([3, 0, 2]);
    expect(await totals('&category=webhook')).toEqual([0, 0, 0]);
  });

  it('groups errors by type: rows, not failures; most first, then by name', async () => {
    const id = fresh();
    const error = (error_type: string, timestamp: string, n: number, more = {}) => ({
      plugin_config_id: id,
      timestamp,
      error_type,
      error_uuid: UUID(n),
      failures: 5,
      category: 'onEvent',
      ...more,
    });
    await api.count(
      error('SomeError', '2021-12-03 10:00:00', 1),
      error('SomeError', '2021-12-04 00:00:00', 2, { job_id: 'j' }),
      error('Beta', '2021-12-04 10:00:00.5', 3, { category: 'exportEvents' }),
      error('Alpha', '2021-12-05 10:00:00', 4),
      error('SomeError', '2021-11-01 00:00:00', 5),
    );
    expect((await at(id)).body.errors).toEqual([
      { error_type: 'SomeError', count: 2, last_seen: '2021-12-04T00:00:00Z' },
      { error_type: 'Alpha', count: 1, last_seen: '2021-12-05T10:00:00Z' },
      { error_type: 'Beta', count: 1, last_seen: '2021-12-04T10:00:00.500000Z' },
    ]);
    const named = async (query: string) =>
      (await at(id, query)).body.errors.map((each: { error_type: string }) => each.error_type);
    expect(await named('?category=exportEvents')).toEqual(['Beta']);
    expect(await named('?job_id=j')).toEqual(['SomeError']);
    expect(await named('?date_from=-24h')).toEqual(['Alpha']);
    expect((await at(id)).body.metrics.totals.failures).toBe(20);
  });

  it('an unknown plugin config has zeros', async () => {
    const { status, body } = await at(fresh(), '?date_from=-2d');
    expect([status, body.metrics.totals, body.errors]).toEqual([
      200,
      { successes: 0, successes_on_retry: 0, failures: 0 },
      [],
    ]);
    expect(body.metrics.failures).toEqual([0, 0, 0]);
  });

  it('counts the project’s own rows only', async () => {
    const stranger = await addStranger(api);
    const id = fresh();
    const row = { plugin_config_id: id, timestamp: '2021-12-05 00:10:00', error_type: 'E', failures: 1 };
    await api.count({
      ...row,
      team_id: stranger.projectId,
      error_uuid: UUID(6),
      error_details: '{"secret":1}',
    });
    const { body } = await at(id);
    expect([body.metrics.totals.failures, body.errors]).toEqual([0, []]);
    expect((await at(id, 'error_details/?error_type=E')).body).toEqual({ result: [] });
    const theirs = `/api/projects/${stranger.projectId}/app_metrics/${id}/`;
    expect((await api.call('GET', theirs, { key: stranger.key })).body.metrics.totals.failures).toBe(1);
    expect((await api.call('GET', theirs)).status).toBe(403);
  });

  it('does not need the warehouse to know the zone, up to a thousand days', async () => {
    const id = fresh();
    await api.count({ plugin_config_id: id, timestamp: '2021-12-05 00:10:00', successes: 2 });
    // Younger than the embedded engine.
    await api.zone('America/Coyhaique');
    expect((await at(id, '?date_from=-999d')).body.metrics.successes.slice(-2)).toEqual([2, 0]);
    await api.zone('Asia/Kathmandu');
    const { dates, successes } = (await at(id, '?date_from=1890-01-01')).body.metrics;
    expect([dates[0], dates.at(-1), successes.indexOf(2)]).toEqual([
      '1900-01-01',
      '2021-12-05',
      dates.indexOf('2021-12-05'),
    ]);
    await api.zone('UTC');
  });
});

describe('what is refused', () => {
  it.each([
    ['?category=nope', 400, 'invalid_choice', 'category'],
    ['?category=', 400, 'invalid_choice', 'category'],
    ['?date_from=', 400, 'blank', 'date_from'],
    ['?date_to=%20', 400, 'blank', 'date_to'],
    ['?job_id=', 400, 'blank', 'job_id'],
    ['error_details/', 400, 'required', 'error_type'],
    ['error_details/?error_type=', 400, 'blank', 'error_type'],
    ['error_details/?error_type=E&category=x', 400, 'invalid_choice', 'category'],
    ['error_details/?error_type=E&job_id=', 400, 'blank', 'job_id'],
  ])('1/%s', async (rest, status, code, attr) => {
    expect(await at(1, rest)).toMatchObject({ status, body: { code, attr, type: 'validation_error' } });
  });

  it.each(['abc', '1.5', '1e3', '99999999999999999999', '%00', '0x10', '@current'])(
    'no number: %s → 404',
    async (id) => {
      expect(await at(id)).toMatchObject({ status: 404, body: { code: 'not_found' } });
      expect((await at(id, 'error_details/?error_type=E')).status).toBe(404);
      expect((await at(id, 'historical_exports/')).status).toBe(404);
    },
  );

  it('§1.3 needs plugin:read', async () => {
    const path = `/api/projects/${api.projectId}/app_metrics/1`;
    const paths = [path, `${path}/error_details?error_type=E`, `${path}/historical_exports`];
    for (const [scope, status] of [
      ['plugin:read', 200],
      ['plugin:write', 200],
      ['batch_export:read', 403],
    ] as const) {
      const key = await api.key([scope]);
      for (const each of paths) expect((await api.call('GET', each, { key })).status, each).toBe(status);
      expect((await api.call('GET', path, { key: null })).status).toBe(401);
    }
  });
});

it('§11.1b hog functions have nothing', async () => {
  const empty = { dates: [], successes: [], successes_on_retry: [], failures: [] };
  const totals = { successes: 0, successes_on_retry: 0, failures: 0 };
  for (const id of ['hog-1', 'a-hog-b', `hog-${UUID(1)}`]) {
    expect(await at(id)).toMatchObject({ status: 200, body: { metrics: { ...empty, totals }, errors: [] } });
  }
});

describe('§11.2 error details', () => {
  it('the newest twenty, parsed; other errors, categories and jobs apart', async () => {
    const id = fresh();
    const row = (n: number, more = {}) => ({
      plugin_config_id: id,
      timestamp: `2021-08-25 02:${String(n).padStart(2, '0')}:00`,
      error_uuid: UUID(n),
      error_type: 'SomeError',
      failures: 1,
      category: 'onEvent',
      error_details: JSON.stringify({ event: { n } }),
      ...more,
    });
    await api.count(
      ...fromTo(1, 25).map((n) => row(n)),
      row(30, { error_type: 'Other' }),
      row(31, { category: 'exportEvents', job_id: 'j', error_details: '' }),
      row(32, { category: 'exportEvents', job_id: 'k', error_details: 'no JSON' }),
    );
    const details = async (query: string) =>
      (await at(id, `error_details/?error_type=SomeError${query}`)).body.result;
    const all = await details('&category=onEvent');
    expect(all).toHaveLength(20);
    expect(all[0]).toEqual({
      timestamp: '2021-08-25T02:25:00Z',
      error_uuid: UUID(25),
      error_type: 'SomeError',
      error_details: { event: { n: 25 } },
    });
    expect(all.at(-1).error_details).toEqual({ event: { n: 6 } });
    expect(await details('&job_id=j')).toMatchObject([{ error_uuid: UUID(31), error_details: null }]);
    expect(await details('&job_id=k')).toMatchObject([{ error_uuid: UUID(32), error_details: 'no JSON' }]);
    expect(await details('&job_id=none')).toEqual([]);
  });
});

describe('§11.1a runs of a batch export', () => {
  const addExport = async (teamId: number) => {
    const id = v7();
    const now = new Date(NOW);
    await api.database.kysely
      .insertInto('batch_exports')
      .values({
        id,
        team_id: teamId,
        name: 'Runs',
        model: 'events',
        destination_type: 'NoOp',
        destination_config: '{}',
        interval: 'hour',
        next_interval_start: now,
        created_at: now,
        last_updated_at: now,
      })
      .execute();
    return id;
  };
  let minutes = 0;
  const addRun = (exportId: string, status: string, updated: string) =>
    api.database.kysely
      .insertInto('batch_export_runs')
      .values({
        id: v7(),
        team_id: api.projectId,
        batch_export_id: exportId,
        status,
        data_interval_end: new Date(60_000 * ++minutes),
        snapshot: '{}',
        created_at: new Date(updated),
        last_updated_at: new Date(updated),
      })
      .execute();

  it('UTC days with runs, both bounds included, whatever the project’s zone', async () => {
    const id = await addExport(api.projectId);
    for (const day of ['2021-12-04', '2021-12-05']) {
      for (const status of ['Completed', 'Completed', 'Completed', 'Failed', 'FailedRetryable']) {
        await addRun(id, status, `${day}T05:00:00Z`);
      }
      for (const status of ['Cancelled', 'Running', 'Starting', 'TimedOut', 'FailedBilling']) {
        await addRun(id, status, `${day}T05:00:00Z`);
      }
    }
    await addRun(id, 'Completed', '2021-11-20T23:59:59.999Z');
    const expected = {
      metrics: {
        dates: ['2021-12-04', '2021-12-05'],
        successes: [3, 3],
        successes_on_retry: [0, 0],
        failures: [2, 2],
        totals: { successes: 6, successes_on_retry: 0, failures: 4 },
      },
      errors: null,
    };
    await api.zone('America/New_York');
    expect(await at(id, '?date_from=-7d')).toMatchObject({ status: 200, body: expected });
    expect((await at(id.toUpperCase(), '?date_from=-7d', 'environments')).body).toEqual(expected);
    await api.zone('UTC');
    expect((await at(id)).body.metrics.dates).toEqual(['2021-11-20', '2021-12-04', '2021-12-05']);
    const dates = async (query: string) => (await at(id, query)).body.metrics.dates;
    expect(await dates('?date_from=2021-12-04T05:00:00&date_to=2021-12-04T05:00:00')).toEqual(['2021-12-04']);
    expect(await dates('?date_from=2021-12-04T05:00:00.000001')).toEqual(['2021-12-05']);
    // Relative ones are not floored: 13:23 on the fourth.
    expect(await dates('?date_from=-1d')).toEqual(['2021-12-05']);
    expect(await dates('?date_to=-2d')).toEqual(['2021-11-20']);
    expect((await at(id, '?date_from=2020-01-01&date_to=2020-02-01')).body).toMatchObject({
      metrics: { dates: [], totals: { successes: 0 } },
      errors: null,
    });
  });

  it('another project’s export, and none at all, are not found', async () => {
    const stranger = await addStranger(api);
    const id = await addExport(stranger.projectId);
    expect((await at(id)).status).toBe(404);
    expect((await at(v7())).status).toBe(404);
    const theirs = `/api/projects/${stranger.projectId}/app_metrics/${id}`;
    expect((await api.call('GET', theirs, { key: stranger.key })).body.errors).toBeNull();
  });
});
