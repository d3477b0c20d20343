import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unpauseExport } from '../../src/batch-exports/pausing.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { type Json, type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';
import { seededBytes } from './start-api.ts';

/** contract.md §4, §5 and §6 over HTTP, on the real server and database. */
let bench: ServedBench;
let s3: number;
let aws: number;
beforeAll(async () => {
  bench = await serveBench();
  s3 = await bench.addIntegration('s3-compatible');
  aws = await bench.addIntegration('aws-s3');
});
afterAll(() => bench.close());

const refused = (code: string, attr: string | null) => ({ type: 'validation_error', code, attr });
const toS3 = (config: Record<string, unknown> = {}) => ({
  type: 'S3Compatible',
  config: { bucket_name: 'lake', region: 'eu', prefix: 'p/', ...config },
  integration: s3,
});
const inLake = (parts: Record<string, unknown>) => ({ ...toFiles(), ...parts });

describe('§4.1 the object', () => {
  it('has every key, and stored config only', async () => {
    const { body, status } = await bench.call('POST', 'batch_exports', {
      ...toFiles(),
      name: ' Nightly ',
      interval: 'day',
      timezone: 'Europe/Berlin',
      offset_hour: 3,
      filters: [{ key: '$browser', operator: 'exact', type: 'event', value: ['Firefox'] }],
    });
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      team_id: bench.teamId,
      name: 'Nightly',
      model: 'events',
      destination: {
        type: 'Filesystem',
        config: { prefix: 'events', file_format: 'Parquet' },
        integration: null,
      },
      interval: 'day',
      paused: false,
      created_at: '2026-03-01T10:20:00Z',
      last_updated_at: '2026-03-01T10:20:00Z',
      last_paused_at: null,
      start_at: null,
      end_at: null,
      latest_runs: [],
      hogql_query: null,
      hogql_modifiers: null,
      primary_key: null,
      version_key: null,
      incremental_mode: 'APPEND',
      schema: null,
      filters: [{ key: '$browser', operator: 'exact', type: 'event', value: ['Firefox'] }],
      timezone: 'Europe/Berlin',
      offset_day: null,
      offset_hour: 3,
    });
  });

  it.each([
    [{ interval: 'hour' }, null, null],
    [{ interval: 'day' }, null, 0],
    [{ interval: 'day', offset_hour: 5 }, null, 5],
    [{ interval: 'week' }, 0, 0],
    [{ interval: 'week', offset_day: 6, offset_hour: 23 }, 6, 23],
    [{ interval: 'every 5 minutes' }, null, null],
  ])('shows offsets where they mean something: %j', async (parts, day, hour) => {
    const created = await bench.create(parts);
    expect([created.offset_day, created.offset_hour]).toEqual([day, hour]);
  });
});

describe('§4.3 what a body may say', () => {
  const cases: [string, Record<string, unknown>, number, string, string | null][] = [
    ['no name', { name: undefined }, 400, 'required', 'name'],
    ['blank name', { name: '  ' }, 400, 'blank', 'name'],
    ['unknown model', { model: 'cohorts' }, 400, 'invalid_choice', 'model'],
    ['no destination', { destination: undefined }, 400, 'required', 'destination'],
    ['no type', { destination: { config: {} } }, 400, 'required', 'destination__type'],
    ['the old type', { destination: { type: 'S3', config: {} } }, 400, 'invalid_choice', 'destination__type'],
    [
      'an internal type',
      { destination: { type: 'FileDownload', config: {} } },
      400,
      'invalid_choice',
      'destination__type',
    ],
    ['no config', { destination: { type: 'Filesystem' } }, 400, 'required', 'destination__config'],
    ['interval null', { interval: null }, 400, 'null', 'interval'],
    ['unknown interval', { interval: 'month' }, 400, 'invalid_choice', 'interval'],
    ['unknown zone', { timezone: 'Mars/Olympus' }, 400, 'invalid_choice', 'timezone'],
    ['a zone in small letters', { timezone: 'europe/berlin' }, 400, 'invalid_choice', 'timezone'],
    ['a zone in capitals', { timezone: 'EUROPE/BERLIN' }, 400, 'invalid_choice', 'timezone'],
    ['an offset for a zone', { timezone: '+01:00' }, 400, 'invalid_choice', 'timezone'],
    ['a short name that is no zone', { timezone: 'PST', interval: 'day' }, 400, 'invalid_choice', 'timezone'],
    ['no name of a zone', { timezone: '' }, 400, 'invalid_choice', 'timezone'],
    ['day 7', { interval: 'week', offset_day: 7 }, 400, 'max_value', 'offset_day'],
    ['day -1', { interval: 'week', offset_day: -1 }, 400, 'min_value', 'offset_day'],
    ['hour 24', { interval: 'day', offset_hour: 24 }, 400, 'max_value', 'offset_hour'],
    ['day of a day', { interval: 'day', offset_day: 1 }, 400, 'invalid_input', 'offset_day'],
    ['hour of an hour', { interval: 'hour', offset_hour: 1 }, 400, 'invalid_input', 'offset_hour'],
    ['filters no list', { filters: { key: 'a' } }, 400, 'invalid_input', 'filters'],
    ['filter no object', { filters: ['a'] }, 400, 'invalid_input', 'filters'],
    ['filter without type', { filters: [{ key: 'a' }] }, 400, 'invalid_input', 'filters'],
    [
      'filter of the interval',
      { filters: [{ type: 'event', key: 'data_interval_start' }] },
      400,
      'invalid_input',
      'filters',
    ],
    [
      'filter holding it',
      { filters: [{ type: 'event', key: 'a', data_interval_end: 1 }] },
      400,
      'invalid_input',
      'filters',
    ],
    ['filters on persons', { model: 'persons', filters: [] }, 400, 'invalid_input', 'filters'],
    ['query on events', { hogql_query: 'select 1' }, 400, 'invalid_input', 'hogql_query'],
    ['modifiers on events', { hogql_modifiers: { a: 1 } }, 400, 'invalid_input', 'hogql_modifiers'],
    ['keys on events', { primary_key: ['id'] }, 400, 'invalid_input', 'primary_key'],
    ['hogql without query', { model: 'hogql' }, 400, 'invalid_input', 'hogql_query'],
    [
      'foreign placeholder',
      { model: 'hogql', hogql_query: 'select uuid from events where timestamp > {now}' },
      400,
      'invalid_input',
      'hogql_query',
    ],
    [
      'merge without key',
      { model: 'hogql', hogql_query: 'select uuid from events', incremental_mode: 'MERGE' },
      400,
      'invalid_input',
      'primary_key',
    ],
    [
      'empty key',
      { model: 'hogql', hogql_query: 'select uuid from events', primary_key: [] },
      400,
      'empty',
      'primary_key',
    ],
    ['no moment', { start_at: 'soon' }, 400, 'invalid_input', 'start_at'],
    [
      'HTTP takes events',
      {
        model: 'persons',
        destination: { type: 'HTTP', config: { url: 'https://us.i.posthog.com/batch/', token: 't' } },
      },
      400,
      'invalid_input',
      null,
    ],
  ];
  it.each(cases)('%s', async (_, parts, status, code, attr) => {
    const answer = await bench.call('POST', 'batch_exports/', inLake(parts));
    expect([answer.status, answer.body]).toEqual([
      status,
      { ...refused(code, attr), detail: expect.any(String) },
    ]);
  });

  it.each([
    [{ timezone: null }, { timezone: 'UTC' }],
    [
      { timezone: 'US/Pacific', interval: 'day', offset_hour: 2 },
      { timezone: 'US/Pacific', offset_hour: 2 },
    ],
    [{ start_at: '2026-04-01 10:00:00' }, { start_at: '2026-04-01T10:00:00Z' }],
    [{ end_at: '2026-04-01T10:00:00.5+02:00' }, { end_at: '2026-04-01T08:00:00.500000Z' }],
    [{ model: 'persons' }, { model: 'persons' }],
    [
      { model: 'hogql', hogql_query: 'select uuid from events where timestamp < {data_interval_end}' },
      { model: 'hogql' },
    ],
    [{ incremental_mode: 'MERGE' }, { incremental_mode: 'MERGE' }],
    [{ paused: true }, { paused: true, last_paused_at: null }],
    [toFiles({ max_file_size_mb: '100' }), { destination: { config: { max_file_size_mb: 100 } } }],
    [toFiles({ exclude_events: null }), { destination: { config: { exclude_events: null } } }],
    [{ id: 'mine', team_id: 9, whatever: 1 }, { team_id: 1 }],
  ])('accepts %j', async (parts, shown) => {
    expect(await bench.create(parts)).toMatchObject(shown);
  });

  it('closed gates answer 403', () =>
    bench.closing(['highFrequency', 'hogql', 'workflows'], async () => {
      for (const parts of [
        { interval: 'every 5 minutes' },
        { model: 'hogql', hogql_query: 'select 1 as a' },
        { destination: { type: 'Workflows', config: { hog_function_id: 'x' } } },
      ]) {
        const { status, body } = await bench.call('POST', 'batch_exports', inLake(parts));
        expect([status, body.code]).toEqual([403, 'permission_denied']);
      }
    }));
});

describe('§5 destination configs', () => {
  const cases: [string, () => Json, string, string][] = [
    [
      'unknown keys',
      () => toS3({ endpoint_url: 'x', aws_access_key_id: 'y' }),
      'destination__non_field_errors',
      "'endpoint_url', 'aws_access_key_id'",
    ],
    [
      'missing keys',
      () => ({ ...toS3(), config: { bucket_name: 'b' } }),
      'destination__non_field_errors',
      "'region', 'prefix'",
    ],
    [
      'null for text',
      () => toS3({ bucket_name: null }),
      'destination__non_field_errors',
      'expected string, got null',
    ],
    [
      'a number for text',
      () => toS3({ prefix: 7 }),
      'destination__non_field_errors',
      'expected string, got number',
    ],
    [
      'text for a flag',
      () => toS3({ legacy_parquet_extension: 'maybe' }),
      'destination__non_field_errors',
      'expected bool',
    ],
    [
      'event names that are no list',
      () => toS3({ include_events: '$pageview' }),
      'destination__non_field_errors',
      'list',
    ],
    [
      'event names that are no texts',
      () => toS3({ exclude_events: [1] }),
      'destination__non_field_errors',
      'list',
    ],
    ['no integration', () => ({ ...toS3(), integration: null }), 'destination', 's3-compatible'],
    ['wrong integration', () => ({ ...toS3(), integration: aws }), 'destination', 's3-compatible'],
    ['blank keys', () => toS3({ bucket_name: '', region: '' }), 'destination', ''],
    ['unknown format', () => toS3({ file_format: 'CSV' }), 'destination', 'CSV'],
    ['compression of the other format', () => toS3({ compression: 'snappy' }), 'destination', 'snappy'],
    [
      'legacy names on a new export',
      () => toS3({ legacy_parquet_extension: true }),
      'destination',
      'legacy_parquet_extension',
    ],
  ];
  it.each(cases)('%s', async (_, destination, attr, told) => {
    const { status, body } = await bench.call(
      'POST',
      'batch_exports',
      inLake({ destination: destination() }),
    );
    expect([status, body]).toEqual([
      400,
      { ...refused('invalid_input', attr), detail: expect.stringContaining(told) },
    ]);
  });

  it.each(['integration', 'integration_id'])('an unknown integration is told first: %s', async (name) => {
    const destination = { ...toS3({ nonsense: 1 }), integration: undefined, [name]: 999_999 };
    const { body } = await bench.call('POST', 'batch_exports', inLake({ destination }));
    expect(body).toEqual({
      ...refused('does_not_exist', `destination__${name}`),
      detail: 'Invalid pk "999999" - object does not exist.',
    });
  });

  it('an integration that is no number', async () => {
    const destination = { ...toS3(), integration: 'mine' };
    const { body } = await bench.call('POST', 'batch_exports', inLake({ destination }));
    expect(body).toMatchObject(refused('incorrect_type', 'destination__integration'));
  });

  it('converts text to flags, and pins parquet names', async () => {
    const { destination } = await bench.create({
      destination: toS3({ use_virtual_style_addressing: 'True' }),
    });
    expect(destination).toEqual({
      type: 'S3Compatible',
      config: {
        bucket_name: 'lake',
        region: 'eu',
        prefix: 'p/',
        use_virtual_style_addressing: true,
        legacy_parquet_extension: false,
      },
      integration: s3,
    });
  });

  it('keeps the names a row from before the flag has been writing', async () => {
    const { id } = await bench.create({ destination: toS3({ file_format: 'Parquet', compression: 'zstd' }) });
    const old = {
      bucket_name: 'lake',
      region: 'eu',
      prefix: 'p/',
      file_format: 'Parquet',
      compression: 'zstd',
    };
    await bench.db
      .updateTable('batch_exports')
      .set({ destination_config: JSON.stringify({ ...old, from_another_time: 1 }) })
      .where('id', '=', id)
      .execute();
    const destination = { type: 'S3Compatible', config: { compression: null } };
    const { body } = await bench.call('PATCH', `batch_exports/${id}`, { destination });
    expect(body.destination.config).toEqual({
      ...old,
      from_another_time: 1,
      compression: null,
      legacy_parquet_extension: true,
    });
  });

  it('never returns a secret, keeps it when it is not sent again, and stores it sealed', async () => {
    const http = { type: 'HTTP', config: { url: 'https://us.i.posthog.com/batch/', token: 'hush-hush' } };
    const created = await bench.create({ destination: http });
    expect(created.destination.config).toEqual({ url: http.config.url });
    const again = { type: 'HTTP', config: { url: 'https://eu.i.posthog.com/batch/' } };
    const { body } = await bench.call('PATCH', `batch_exports/${created.id}`, { destination: again });
    expect(body.destination.config).toEqual(again.config);
    const row = await bench.db
      .selectFrom('batch_exports')
      .selectAll()
      .where('id', '=', created.id)
      .executeTakeFirstOrThrow();
    expect(JSON.stringify(row)).not.toContain('hush');
    const unsealed = bench.ports.unseal(row.destination_sealed ?? '', `batch-export:${row.id}`);
    expect(JSON.parse(unsealed)).toEqual({ token: 'hush-hush' });
  });
});

describe('secrets whose key is lost', () => {
  it('may be sent again, and stand in the way of no other change', async () => {
    const http = { type: 'HTTP', config: { url: 'https://us.i.posthog.com/batch/', token: 'hush-hush' } };
    const { id } = await bench.create({ destination: http });
    const other = createSealer(['another secret of at least 32 bytes'], seededBytes('another'));
    await bench.db
      .updateTable('batch_exports')
      .set({ destination_sealed: other.seal('{"token":"hush-hush"}', `batch-export:${id}`) })
      .where('id', '=', id)
      .execute();
    const patch = (change: Json) => bench.call('PATCH', `batch_exports/${id}`, change);
    expect((await patch({ name: 'another' })).status).toBe(200);
    const silent = { type: 'HTTP', config: { url: http.config.url } };
    expect(await patch({ destination: silent })).toMatchObject({
      status: 400,
      body: { ...refused('invalid_input', 'destination'), detail: expect.stringContaining('token') },
    });
    expect((await patch({ destination: http })).status).toBe(200);
    expect((await patch({ destination: silent })).status).toBe(200);
    const { destination_sealed: sealed } = await bench.db
      .selectFrom('batch_exports')
      .select('destination_sealed')
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    expect(JSON.parse(bench.ports.unseal(sealed ?? '', `batch-export:${id}`))).toEqual({
      token: 'hush-hush',
    });
  });
});

describe('§4.3 updates', () => {
  it.each([
    ['hour to week', { interval: 'hour' }, { interval: 'week' }, ['UTC', 0, 0]],
    [
      'day to hour drops offsets',
      { interval: 'day', timezone: 'Europe/Berlin', offset_hour: 1 },
      { interval: 'hour' },
      ['Europe/Berlin', null, null],
    ],
    [
      'all null',
      { interval: 'day', timezone: 'Europe/Berlin', offset_hour: 1 },
      { timezone: null, offset_day: null, offset_hour: null },
      ['UTC', null, 0],
    ],
    [
      'hour to day',
      { interval: 'hour' },
      { interval: 'day', timezone: 'US/Pacific', offset_hour: 2 },
      ['US/Pacific', null, 2],
    ],
    [
      'week to day keeps the hour',
      { interval: 'week', offset_day: 2, offset_hour: 7 },
      { interval: 'day' },
      ['UTC', null, 7],
    ],
    [
      'offset without interval',
      { interval: 'week', offset_day: 2, offset_hour: 7 },
      { offset_day: 4 },
      ['UTC', 4, 7],
    ],
    ['nothing about it', { interval: 'day', offset_hour: 7 }, { name: 'x' }, ['UTC', null, 7]],
  ])('PATCH %s', async (_, before, change, after) => {
    const { id } = await bench.create(before);
    const { status, body } = await bench.call('PATCH', `batch_exports/${id}/`, change);
    expect(status).toBe(200);
    expect([body.timezone, body.offset_day, body.offset_hour]).toEqual(after);
  });

  it.each([
    [
      'week to hour with an hour',
      { interval: 'week' },
      { interval: 'hour', offset_hour: 1 },
      'invalid_input',
      'offset_hour',
    ],
    ['the model', {}, { model: 'persons' }, 'invalid_input', 'model'],
    ['the type', {}, { destination: { type: 'NoOp', config: {} } }, 'invalid_input', 'destination'],
    ['destination without type', {}, { destination: { config: {} } }, 'required', 'destination__type'],
    [
      'destination without config',
      {},
      { destination: { type: 'Filesystem' } },
      'required',
      'destination__config',
    ],
    [
      'an unknown key',
      {},
      { destination: { type: 'Filesystem', config: { bucket: 1 } } },
      'invalid_input',
      'destination__non_field_errors',
    ],
  ])('PATCH refuses %s', async (_, before, change, code, attr) => {
    const { id } = await bench.create(before);
    const { status, body } = await bench.call('PATCH', `batch_exports/${id}`, change);
    expect([status, body]).toMatchObject([400, refused(code, attr)]);
  });

  it('PATCH merges the config', async () => {
    const { id } = await bench.create({ destination: toS3({ exclude_events: ['a', 'b'] }) });
    const destination = { type: 'S3Compatible', config: { prefix: 'q/', exclude_events: ['c'] } };
    const { body } = await bench.call('PATCH', `batch_exports/${id}`, { destination });
    expect(body.destination.integration).toBe(s3);
    expect(body.destination.config).toMatchObject({
      bucket_name: 'lake',
      prefix: 'q/',
      exclude_events: ['c'],
    });
    const unlinked = { ...destination, integration: null };
    const { body: error } = await bench.call('PATCH', `batch_exports/${id}`, { destination: unlinked });
    expect(error).toMatchObject(refused('invalid_input', 'destination'));
  });

  it('PUT needs the required fields, and keeps model and incremental_mode', async () => {
    const { id } = await bench.create({ model: 'persons', incremental_mode: 'MERGE' });
    expect((await bench.call('PUT', `batch_exports/${id}`, { name: 'x' })).body).toMatchObject(
      refused('required', 'destination'),
    );
    const { status, body } = await bench.call('PUT', `batch_exports/${id}`, { ...toFiles(), name: 'Put' });
    expect([status, body]).toMatchObject([200, { name: 'Put', model: 'persons', incremental_mode: 'MERGE' }]);
  });

  it('leaves an activity-log row, without secrets, for every change', async () => {
    const { id } = await bench.create();
    await bench.call('PATCH', `batch_exports/${id}`, { name: 'Renamed' });
    await bench.call('POST', `batch_exports/${id}/pause`);
    await bench.call('POST', `batch_exports/${id}/unpause`);
    await bench.call('DELETE', `batch_exports/${id}`);
    const rows = await bench.db
      .selectFrom('activity_log')
      .selectAll()
      .where('item_id', '=', id)
      .orderBy('id')
      .execute();
    expect(rows.map((row) => row.activity)).toEqual(['created', 'updated', 'paused', 'unpaused', 'deleted']);
    expect(new Set(rows.map((row) => `${row.team_id} ${row.scope}`))).toEqual(
      new Set([`${bench.teamId} BatchExport`]),
    );
  });
});

describe('§4.2 addresses', () => {
  it('lists newest first, in pages, without deleted ones and Workflows', async () => {
    await bench.db.updateTable('batch_exports').set({ deleted_at: new Date(), next_due_at: null }).execute();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.push((await bench.create({ name: `n${i}` })).id);
    await bench.create({ destination: { type: 'Workflows', config: { hog_function_id: 'x' } } });
    await bench.call('DELETE', `batch_exports/${ids[1]}`);
    const { body: page } = await bench.call('GET', 'batch_exports/?limit=2&offset=1');
    expect(page.count).toBe(4);
    expect(page.results.map((row: Json) => row.id)).toEqual([ids[3], ids[2]]);
    expect(page.next).toMatch(/^http:.*limit=2&offset=3$/);
    const { body: last } = await bench.call('GET', page.next);
    expect([last.results.map((row: Json) => row.id), last.next]).toEqual([[ids[0]], null]);
  });

  it.each([
    ['GET', 'batch_exports/not-a-uuid'],
    ['GET', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10'],
    ['PATCH', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10'],
    ['DELETE', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10'],
    ['POST', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10/pause'],
    ['POST', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10/unpause'],
    ['GET', 'batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10/logs'],
  ])('%s %s: not found', async (method, path) => {
    const { status, body } = await bench.call(method, path);
    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  it('a UUID counts however it is written', async () => {
    const { id } = await bench.create();
    for (const written of [id.replaceAll('-', ''), id.toUpperCase()]) {
      expect((await bench.call('GET', `batch_exports/${written}/`)).body.id).toBe(id);
    }
  });

  it('DELETE hides the export; its runs stay, what is active is cancelled', async () => {
    const { id } = await bench.create();
    bench.clock.advance(3_600_000);
    await bench.feature.tick(100);
    expect(await bench.call('DELETE', `batch_exports/${id}/`)).toEqual({ status: 204, body: null });
    expect((await bench.call('GET', `batch_exports/${id}`)).status).toBe(404);
    expect((await bench.call('DELETE', `batch_exports/${id}`)).status).toBe(404);
    const { body } = await bench.call('GET', `batch_exports/${id}/runs`);
    expect(body.results.map((run: Json) => run.status)).toEqual(['Cancelled']);
    expect(bench.cancelled).toContain(body.results[0].id);
  });
});

describe('§6 pause and unpause', () => {
  it('pauses once, and says when', async () => {
    const { id } = await bench.create();
    bench.clock.advance(1000);
    expect(await bench.call('POST', `batch_exports/${id}/pause/`)).toEqual({
      status: 200,
      body: { paused: true },
    });
    const { body: paused } = await bench.call('GET', `batch_exports/${id}`);
    expect(paused.last_paused_at).toBe(paused.last_updated_at);
    bench.clock.advance(1000);
    await bench.call('POST', `batch_exports/${id}/pause`, paused);
    expect((await bench.call('GET', `batch_exports/${id}`)).body).toEqual(paused);
  });

  it('an empty body with a JSON content type is {}', async () => {
    const { id } = await bench.create({ paused: true });
    expect(await bench.send('POST', `batch_exports/${id}/unpause`, '')).toEqual({
      status: 200,
      body: { paused: false },
    });
  });

  it('a running export is left alone, even with backfill', async () => {
    const { id } = await bench.create();
    await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
    expect((await bench.call('GET', `batch_exports/${id}/backfills`)).body.results).toEqual([]);
  });

  it('a bad flag', async () => {
    const { id } = await bench.create({ paused: true });
    const { body } = await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: 'perhaps' });
    expect(body).toMatchObject(refused('invalid_input', 'backfill'));
  });

  it('with backfill, makes up for the intervals between by arrival time', async () => {
    bench.clock.set('2026-03-05T10:20:00Z');
    const { id } = await bench.create();
    await bench.call('POST', `batch_exports/${id}/pause`);
    bench.clock.set('2026-03-05T13:40:00Z');
    await bench.feature.tick(100);
    await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
    const [backfill] = (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
    expect(backfill).toMatchObject({
      start_at: '2026-03-05T10:20:00Z',
      end_at: '2026-03-05T13:40:00Z',
      status: 'Running',
    });
    const { body } = await bench.call('GET', `batch_exports/${id}/runs?ordering=data_interval_start`);
    expect(body.results.map((run: Json) => [run.backfill, run.data_interval_start])).toEqual([
      [backfill.id, '2026-03-05T10:00:00Z'],
      [backfill.id, '2026-03-05T11:00:00Z'],
    ]);
  });

  it('with backfill, begins at the cursor when the last pause is said to be earlier: what lies before has its runs', async () => {
    bench.clock.set('2026-03-05T10:20:00Z');
    const { id } = await bench.create({ paused: true, last_paused_at: '2026-03-01T00:00:00Z' });
    bench.clock.set('2026-03-05T13:40:00Z');
    await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
    const [backfill] = (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
    expect(backfill).toMatchObject({
      start_at: '2026-03-01T00:00:00Z',
      adjusted_start_at: '2026-03-05T10:00:00Z',
      end_at: '2026-03-05T13:40:00Z',
      progress: { total_runs: 3, finished_runs: 0 },
    });
  });

  it.each([
    ['in an interval', '2026-03-05T13:10:00Z', '2026-03-05T13:00:00Z', 3],
    ['where one ends', '2026-03-05T12:00:00Z', '2026-03-05T12:00:00Z', 2],
    ['before the pause', '2026-03-05T10:10:00Z', '2026-03-05T10:20:00Z', 0],
    ['not yet', '2026-03-05T16:00:00Z', '2026-03-05T15:10:00Z', 5],
  ])(
    'with backfill, ends with the last interval of the schedule: end_at %s',
    async (_, end_at, end, hours) => {
      bench.clock.set('2026-03-05T10:20:00Z');
      const { id } = await bench.create({ paused: true, last_paused_at: '2026-03-05T10:20:00Z', end_at });
      bench.clock.set('2026-03-05T15:10:00Z');
      const parallel = { ...bench.ports, backfillParallelism: 24 };
      const actor = { userId: 1, teamId: bench.teamId, organizationId: bench.organizationId };
      await unpauseExport(parallel, actor, id, { backfill: true });
      const [backfill] = (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
      expect(backfill).toMatchObject({ start_at: '2026-03-05T10:20:00Z', end_at: end });
      const { body } = await bench.call('GET', `batch_exports/${id}/runs?ordering=data_interval_start`);
      const expected = Array.from({ length: hours }, (__, n) => `2026-03-05T${11 + n}:00:00Z`);
      expect(body.results.map((run: Json) => run.data_interval_end)).toEqual(expected);
    },
  );

  it('with backfill, ends no earlier than it begins, whatever last_paused_at and start_at say', async () => {
    bench.clock.set('2026-03-05T10:20:00Z');
    const later = '2026-04-01T00:00:00Z';
    const unpaused = async (more: Json) => {
      bench.clock.set('2026-03-05T10:20:00Z');
      const { id } = await bench.create({ paused: true, ...more });
      bench.clock.set('2026-03-05T13:40:00Z');
      await bench.call('POST', `batch_exports/${id}/unpause`, { backfill: true });
      return (await bench.call('GET', `batch_exports/${id}/backfills`)).body.results;
    };
    const now = '2026-03-05T13:40:00Z';
    expect(await unpaused({ last_paused_at: later })).toMatchObject([
      { start_at: now, end_at: now, status: 'Running' },
    ]);
    expect(await unpaused({ start_at: later })).toMatchObject([
      { start_at: now, end_at: now, status: 'Completed', progress: { total_runs: 0 } },
    ]);
    expect(await unpaused({ start_at: later, last_paused_at: '2026-03-05T10:30:00Z' })).toMatchObject([
      { start_at: '2026-03-05T10:30:00Z', adjusted_start_at: now, end_at: now, status: 'Completed' },
    ]);
  });

  it('PATCH paused flips the flag only', async () => {
    const { id } = await bench.create();
    const { body } = await bench.call('PATCH', `batch_exports/${id}`, { paused: true });
    expect([body.paused, body.last_paused_at]).toEqual([true, null]);
  });
});

describe('exports that write files of the same names', () => {
  const toFiles = (prefix: string, more: Json = {}) => ({
    name: 'files',
    interval: 'hour',
    destination: { type: 'Filesystem', config: { prefix } },
    ...more,
  });
  const warnings = async (id: string): Promise<string[]> =>
    (await bench.call('GET', `batch_exports/${id}/logs/`)).body.results.map((line: Json) => line.message);

  it('are told of each other in the log of the one written last', async () => {
    const { id: first } = await bench.create(toFiles('same'));
    const { id: second } = await bench.create(toFiles('same'));
    expect(await warnings(first)).toEqual([]);
    expect(await warnings(second)).toEqual([
      expect.stringContaining(`Export ${first} writes to the same place`),
    ]);
  });

  it('not when the interval or the prefix differs, or the other one is gone; again when an edit makes them the same', async () => {
    const { id: gone } = await bench.create(toFiles('lake'));
    await bench.call('DELETE', `batch_exports/${gone}/`);
    const { id } = await bench.create(toFiles('lake'));
    const { id: daily } = await bench.create(toFiles('lake', { interval: 'day' }));
    const { id: elsewhere } = await bench.create(toFiles('lake/a'));
    for (const each of [id, daily, elsewhere]) expect(await warnings(each)).toEqual([]);
    await bench.call('PATCH', `batch_exports/${daily}`, { interval: 'hour' });
    await bench.call('PATCH', `batch_exports/${elsewhere}`, { name: 'another' });
    expect(await warnings(daily)).toEqual([expect.stringContaining(id)]);
    expect(await warnings(elsewhere)).toEqual([]);
  });
});

describe('exports that write to one place by other words', () => {
  const warned = async (id: string, other: string): Promise<boolean> =>
    (await bench.call('GET', `batch_exports/${id}/logs/`)).body.results.some((line: Json) =>
      line.message.includes(`Export ${other} writes to the same place`),
    );
  const to = async (destination: Json): Promise<string> =>
    (await bench.create({ name: 'x', interval: 'hour', destination })).id;

  it.each([
    ['words', '/words', true],
    ['words/2', 'words/2/', true],
    ['words/3', 'words//3', true],
    ['words/4', '{year}/words/4', false],
  ])('on the disk: %j and %j', async (one, other, same) => {
    const toFolder = (prefix: string) => to({ type: 'Filesystem', config: { prefix } });
    const first = await toFolder(one);
    expect(await warned(await toFolder(other), first)).toBe(same);
  });

  it('in a bucket: below one prefix, at one address', async () => {
    const at = async (endpoint: string) =>
      bench.addIntegration('s3-compatible', { endpoint_url: `https://${endpoint}` });
    const toBucket = (integration: number, prefix: string) =>
      to({ type: 'S3Compatible', integration, config: { bucket_name: 'lake', region: 'x', prefix } });
    const here = await at('s3.example');
    const first = await toBucket(here, 'a');
    expect(await warned(await toBucket(here, 'a//'), first)).toBe(false);
    expect(await warned(await toBucket(await at('other.example'), 'a'), first)).toBe(false);
    expect(await warned(await toBucket(await at('s3.example/'), '/a/'), first)).toBe(true);
  });
});

describe('§6 logs', () => {
  const message = (n: number) => ({ message: `line ${n}`, level: n % 2 ? 'INFO' : 'WARNING' });

  it('are filtered, bounded and shown newest first', async () => {
    const { id } = await bench.create({
      destination: { type: 'Filesystem', config: { prefix: 'with a log' } },
    });
    const at = bench.clock.now();
    const line = (n: number) => ({
      ...message(n),
      team_id: bench.teamId,
      log_source: 'batch_exports',
      log_source_id: id,
      instance_id: n < 3 ? 'a' : 'b',
      timestamp: new Date(at + n * 1000),
    });
    await bench.db.insertInto('log_entries').values([1, 2, 3, 4].map(line)).execute();
    const messages = async (query: string) => {
      const { status, body } = await bench.call('GET', `batch_exports/${id}/logs/?${query}`);
      return status === 200 ? body.results.map((row: Json) => row.message) : [status, body.code, body.attr];
    };
    const iso = (n: number) => encodeURIComponent(new Date(at + n * 1000).toISOString());
    expect(await messages('')).toEqual(['line 4', 'line 3', 'line 2', 'line 1']);
    expect(await messages('limit=2&offset=1')).toEqual(['line 3']);
    expect(await messages(`after=${iso(1)}&before=${iso(4)}`)).toEqual(['line 3', 'line 2']);
    const micros = (n: number, rest: string) => iso(n).replace('Z', `${rest}Z`);
    expect(await messages(`after=${micros(1, '999')}&before=${micros(3, '001')}`)).toEqual([
      'line 3',
      'line 2',
    ]);
    expect(await messages('before=9999-12-31T23:59:59.999999Z&limit=1')).toEqual(['line 4']);
    expect(await messages('level=info,error')).toEqual(['line 3', 'line 1']);
    expect(await messages('level=WARN&level=ERROR')).toEqual(['line 4', 'line 2']);
    expect(await messages('search=LINE%202')).toEqual(['line 2']);
    expect(await messages('search=%5C')).toEqual([]);
    expect(await messages('instance_id=a')).toEqual(['line 2', 'line 1']);
    expect(await messages('limit=501')).toEqual([400, 'max_value', 'limit']);
    expect(await messages('limit=0')).toEqual([400, 'min_value', 'limit']);
    expect(await messages('after=yesterday')).toEqual([400, 'invalid_input', 'after']);
  });
});
