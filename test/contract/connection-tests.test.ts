import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** contract.md §6: connection tests, on a real server, a real bucket of the strict fake and a real directory. */
const BUCKET = 'lake';
let sluice: RunningSluice;
let store: S3Server;
let good: number;
let wrong: number;

beforeAll(async () => {
  sluice = await startSluice();
  store = await startS3({ buckets: [BUCKET] });
  good = await integration('good', store.credentials.secretAccessKey);
  wrong = await integration('wrong', 'not-the-secret-of-this-store');
});
afterAll(async () => {
  await sluice?.stop();
  await store?.stop();
});

async function integration(name: string, secret: string): Promise<number> {
  const { accessKeyId } = store.credentials;
  const config = {
    name,
    endpoint_url: store.url,
    aws_access_key_id: accessKeyId,
    aws_secret_access_key: secret,
  };
  const { status, body } = await call('POST', '/integrations/', { kind: 's3-compatible', config });
  expect(status).toBe(201);
  return body.id as number;
}

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape each test asserts
async function call(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }> {
  return sluice.api(method, `/api/projects/${sluice.ready.project_id}${path}`, body);
}

const bucket = (config: Record<string, unknown> = {}, id = good) => ({
  type: 'S3Compatible',
  integration: id,
  config: { bucket_name: BUCKET, region: store.region, prefix: 'events/{year}', ...config },
});
const exportTo = (destination: unknown, more = {}) => ({ name: 'x', interval: 'hour', destination, ...more });
const tryNew = (destination: unknown, more = {}) =>
  call('POST', '/batch_exports/run_test_step_new/', exportTo(destination, more));

describe('§6 GET /test', () => {
  it.each([
    ['AwsS3', 2],
    ['S3Compatible', 1],
    ['Filesystem', 1],
    ['BigQuery', 5],
    ['Snowflake', 4],
    ['Databricks', 5],
    ['AzureBlob', 1],
  ])('%s has %i steps, none of them run', async (type, count) => {
    const { status, body } = await call('GET', `/batch_exports/test/?destination=${type}`);
    expect(status).toBe(200);
    expect(body.steps).toHaveLength(count);
    for (const step of body.steps) {
      expect(step).toEqual({ name: expect.any(String), description: expect.any(String), result: null });
    }
  });

  it.each(['Postgres', 'Redshift', 'HTTP', 'NoOp', 'Workflows', 'S3', 'Nothing'])(
    '%s has no test: 404',
    async (type) => {
      const { status, body } = await call('GET', `/batch_exports/test/?destination=${type}`);
      expect([status, body.type, body.code, body.attr]).toEqual([404, 'invalid_request', 'not_found', null]);
    },
  );

  it.each(['', '?destination=', '?destination=%20'])('without a type (%j): 400', async (query) => {
    const { status, body } = await call('GET', `/batch_exports/test/${query}`);
    expect([status, body.code, body.attr]).toEqual([400, 'required', 'destination']);
  });
});

describe('§6 POST /run_test_step_new', () => {
  it('passes where an export would, and leaves nothing', async () => {
    const { status, body } = await tryNew(bucket());
    expect([status, body.result]).toEqual([200, { status: 'Passed', message: null }]);
    expect(store.objects(BUCKET)).toEqual([]);
    const files = await tryNew({ type: 'Filesystem', config: { prefix: 'try' } });
    expect(files.body.result).toEqual({ status: 'Passed', message: null });
    const folder = join(sluice.dataDir, 'exports', 'try');
    expect(existsSync(folder) ? readdirSync(folder) : []).toEqual([]);
    expect((await call('GET', '/batch_exports/')).body.count, 'nothing is stored').toBe(0);
  });

  it('writes below a prefix with a slash in front where an export would', async () => {
    const before = store.journal.length;
    expect((await tryNew(bucket({ prefix: '/ph/events' }))).body.result.status).toBe('Passed');
    const keys = store.journal.slice(before).map(({ key }) => key);
    expect(new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1)))).toEqual(
      new Set(['ph/events/']),
    );
  });

  it.each([
    ['a bucket that is not there', () => bucket({ bucket_name: 'no-such-bucket' }), /no-such-bucket/],
    ['a wrong secret', () => bucket({}, wrong), /lake/],
  ])('%s is a failed step, not an error', async (_what, destination, says) => {
    const { status, body } = await tryNew(destination());
    expect(status).toBe(200);
    expect(body.result).toEqual({ status: 'Failed', message: expect.stringMatching(says) });
    expect(JSON.stringify(body)).not.toContain('not-the-secret-of-this-store');
  });

  it('fails at once when the store is away', async () => {
    store.faults.add({ match: { times: 9 }, action: { status: 503, code: 'SlowDown' } });
    const { body } = await tryNew(bucket());
    store.faults.clear();
    expect(body.result).toEqual({ status: 'Failed', message: expect.stringMatching(/SlowDown/) });
  });

  it.each([
    ['a step out of range', () => exportTo(bucket(), { step: 1 }), 'invalid_input', 'step'],
    ['a negative step', () => exportTo(bucket(), { step: -1 }), 'min_value', 'step'],
    ['a type without a test', () => exportTo({ type: 'NoOp', config: {} }), 'invalid_input', 'destination'],
    ['no name', () => ({ interval: 'hour', destination: bucket() }), 'required', 'name'],
    ['no destination', () => ({ name: 'x', interval: 'hour' }), 'required', 'destination'],
    [
      'an unknown key',
      () => exportTo(bucket({ colour: 'red' })),
      'invalid_input',
      'destination__non_field_errors',
    ],
    ['no integration', () => exportTo({ ...bucket(), integration: null }), 'invalid_input', 'destination'],
    [
      'a foreign one',
      () => exportTo({ ...bucket(), integration: 999 }),
      'does_not_exist',
      'destination__integration',
    ],
    [
      'filters on persons',
      () => exportTo(bucket(), { model: 'persons', filters: [] }),
      'invalid_input',
      'filters',
    ],
  ])('%s: 400', async (_what, body, code, attr) => {
    const answer = await call('POST', '/batch_exports/run_test_step_new/', body());
    expect([answer.status, answer.body.code, answer.body.attr]).toEqual([400, code, attr]);
  });
});

describe('§6 POST /:id/run_test_step', () => {
  it('overlays the stored configuration by what is sent', async () => {
    const { body: made } = await call('POST', '/batch_exports/', exportTo(bucket(), { paused: true }));
    const path = `/batch_exports/${made.id}/run_test_step/`;
    const partial = (config: Record<string, unknown>) => ({ destination: { type: 'S3Compatible', config } });
    expect((await call('POST', path, partial({}))).body.result.status).toBe('Passed');
    expect((await call('POST', path, partial({ bucket_name: 'elsewhere' }))).body.result.status).toBe(
      'Failed',
    );
    const stored = await call('GET', `/batch_exports/${made.id}/`);
    expect(stored.body.destination.config.bucket_name).toBe(BUCKET);

    const other = await call('POST', path, { destination: { type: 'Filesystem', config: {} } });
    expect([other.status, other.body.code, other.body.attr]).toEqual([400, 'invalid_input', 'destination']);
    const none = await call('POST', path, {});
    expect([none.status, none.body.code, none.body.attr]).toEqual([400, 'required', 'destination']);
    const unknown = await call(
      'POST',
      '/batch_exports/019a5b2e-6f7c-0000-8a41-6d1f9a2b7c10/run_test_step/',
      partial({}),
    );
    expect([unknown.status, unknown.body.code]).toEqual([404, 'not_found']);
  });
});
