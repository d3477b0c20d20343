import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { integrationOfKey } from '../../src/integrations/access-key.ts';
import { openIntegration } from '../../src/integrations/integrations.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { type Json, type ServedBench, serveBench, toFiles } from './batch-exports-kit.ts';
import { seededBytes } from './start-api.ts';

/** contract.md §14: what clients of 2023 to 2026 send; and §15: what we answer where upstream crashes. */
let bench: ServedBench;
let other: number;
let foreign: { organization: string; project: number };
const sealer = createSealer(['a secret of at least thirty-two bytes'], seededBytes('legacy'));

beforeAll(async () => {
  const guard = createHostGuard([], async (host) => {
    if (host === 'minio.example') return [{ address: '93.184.216.34', family: 4 }];
    throw new Error('no such name');
  });
  bench = await serveBench({
    legacyS3: (actor, key) =>
      integrationOfKey(
        {
          ...bench.ports,
          sealer,
          recordActivity: bench.accounts.recordActivity,
          membershipLevel: bench.accounts.membershipLevel,
          usedBy: async () => [],
          letGo: async () => {},
          problemWithHost: guard.problemWith,
        },
        actor,
        key,
      ),
  });
  const created_at = new Date(bench.clock.now());
  const project = (organization_id: string, name: string) =>
    bench.db
      .insertInto('projects')
      .values({ organization_id, name, api_token: `phc_${name}`, created_at })
      .returning('id')
      .executeTakeFirstOrThrow();
  ({ id: other } = await project(bench.organizationId, 'other'));
  const organization = crypto.randomUUID();
  await bench.db.insertInto('organizations').values({ id: organization, name: 'x', created_at }).execute();
  foreign = { organization, project: (await project(organization, 'foreign')).id };
});
afterAll(() => bench.close());

const org = (path = '', id = bench.organizationId) => `/api/organizations/${id}/batch_exports/${path}`;

describe('a model that says nothing', () => {
  it.each([null, ''])('%j is events', async (model) => {
    expect((await bench.create({ model })).model).toBe('events');
  });

  it.each([null, ''])('%j changes nothing', async (model) => {
    const { id } = await bench.create({ model: 'persons' });
    const { status, body } = await bench.call('PATCH', `batch_exports/${id}`, { model, name: 'y' });
    expect([status, body.model, body.name]).toEqual([200, 'persons', 'y']);
  });
});

describe('POST …/backfill/', () => {
  const range = { start_at: '2026-02-01T00:00:00Z', end_at: '2026-02-01T02:00:00Z' };
  it.each([
    ['a project', (id: string) => `batch_exports/${id}/backfill/`],
    ['an organization', (id: string) => org(`${id}/backfill/`)],
  ])('of %s starts a backfill', async (_, path) => {
    const { id } = await bench.create();
    const { status, body } = await bench.call('POST', path(id), range);
    expect([status, Object.keys(body)]).toEqual([200, ['backfill_id']]);
    const made = await bench.call('GET', `batch_exports/${id}/backfills/${body.backfill_id}`);
    expect(made.body).toMatchObject(range);
    await bench.call('POST', `batch_exports/${id}/backfills/${body.backfill_id}/cancel`);
  });
});

describe('/api/organizations/:id/batch_exports/', () => {
  it('creates in the current project, lists all projects, and works on each export where it is', async () => {
    const { status, body: mine } = await bench.call('POST', org(), { ...toFiles(), name: 'mine' });
    expect([status, mine.team_id]).toEqual([201, bench.teamId]);
    const elsewhere = `/api/projects/${other}/batch_exports/`;
    const { body: theirs } = await bench.call('POST', elsewhere, { ...toFiles(), name: 'theirs' });
    const { body: page } = await bench.call('GET', org('?limit=2'));
    expect(page.results.map((row: Json) => row.team_id)).toEqual([other, bench.teamId]);
    expect(page.count).toBeGreaterThan(2);
    expect(new URL(page.next).pathname).toBe(org());

    const one = org(`${theirs.id}/`);
    expect((await bench.call('GET', one)).body).toEqual(theirs);
    expect((await bench.call('PATCH', one, { name: 'renamed' })).body).toMatchObject({
      name: 'renamed',
      team_id: other,
    });
    expect((await bench.call('PUT', one, toFiles())).status).toBe(200);
    expect((await bench.call('POST', `${one}pause/`)).body).toEqual({ paused: true });
    expect((await bench.call('POST', `${one}unpause/`)).body).toEqual({ paused: false });
    expect((await bench.call('GET', `${one}logs/`)).status).toBe(200);
    const { destination } = toFiles();
    const step = await bench.call('POST', `${one}run_test_step/`, { destination });
    expect(step.body.result.status).toBe('Passed');
    const steps = await bench.call('GET', org('test/?destination=AwsS3'));
    expect(steps.body.steps).toHaveLength(2);
    expect((await bench.call('POST', org('run_test_step_new/'), toFiles())).status).toBe(200);
    expect((await bench.call('DELETE', one)).status).toBe(204);
    expect((await bench.call('GET', one)).status).toBe(404);
    const rows = await bench.db
      .selectFrom('activity_log')
      .select(['activity', 'team_id'])
      .where('item_id', '=', theirs.id)
      .orderBy('id')
      .execute();
    expect(rows.map((row) => row.activity)).toEqual([
      'created',
      'updated',
      'updated',
      'paused',
      'unpaused',
      'deleted',
    ]);
    expect(new Set(rows.map((row) => row.team_id))).toEqual(new Set([other]));
  });

  it('knows no other organization, and no export of one', async () => {
    const { id } = await bench.create();
    await bench.db
      .updateTable('batch_exports')
      .set({ team_id: foreign.project })
      .where('id', '=', id)
      .execute();
    for (const path of [org('', foreign.organization), org('', 'nonsense'), org(`${id}/`), org('no-uuid/')]) {
      expect((await bench.call('GET', path)).status, path).toBe(404);
    }
    expect((await bench.call('POST', org('', foreign.organization), toFiles())).status).toBe(404);
    const { body } = await bench.call('GET', org());
    expect(body.results.map((row: Json) => row.id)).not.toContain(id);
    expect((await bench.call('PATCH', org(), {})).status).toBe(405);
  });

  it('keeps to the limits of a key', async () => {
    const { userId = 0 } = (await bench.accounts.authenticate(bench.key))?.caller ?? {};
    const key = async (scopes: string[], projects: number[] | null, organizations: string[] | null) =>
      (await bench.accounts.createKey({ userId, label: 'x', scopes, projects, organizations })).key;
    const { id } = await bench.create();
    const get = (path: string, by: string) => bench.send('GET', path, undefined, by);
    const reader = await key(['batch_export:read'], null, null);
    expect((await get(org(`${id}/`), reader)).status).toBe(200);
    expect((await bench.send('POST', org(`${id}/pause/`), '{}', reader)).status).toBe(403);
    const elsewhere = await key(['batch_export:write'], [other], null);
    expect((await get(org(`${id}/`), elsewhere)).status).toBe(404);
    expect((await get(org(), elsewhere)).body.results.every((row: Json) => row.team_id === other)).toBe(true);
    expect((await bench.send('POST', org(), JSON.stringify(toFiles()), elsewhere)).status).toBe(404);
    const foreigner = await key(['*'], null, [bench.organizationId]);
    await bench.db
      .updateTable('personal_api_keys')
      .set({ scoped_organizations: [foreign.organization] })
      .where('scoped_organizations', 'is not', null)
      .execute();
    expect((await get(org(), foreigner)).status).toBe(403);
    expect((await get(org(), 'phx_unknown')).status).toBe(401);
  });
});

describe('type S3 behind its switch', () => {
  const KEYS = { aws_access_key_id: 'AKIAEXAMPLE', aws_secret_access_key: 'hush-hush' };
  const toS3 = (config: Json = {}) => ({
    type: 'S3',
    config: { bucket_name: 'b', region: 'eu', prefix: 'p', ...KEYS, ...config },
  });
  const created = (config: Json = {}) => bench.create({ destination: toS3(config) });

  it('becomes AwsS3 with an integration that holds the keys, the same for the same keys', async () => {
    const { destination } = await created({ encryption: 'AES256', use_virtual_style_addressing: false });
    expect(destination).toEqual({
      type: 'AwsS3',
      config: {
        bucket_name: 'b',
        region: 'eu',
        prefix: 'p',
        encryption: 'AES256',
        legacy_parquet_extension: false,
      },
      integration: expect.any(Number),
    });
    const opened = await openIntegration({ db: bench.db, sealer }, bench.teamId, destination.integration);
    expect(opened).toMatchObject({ kind: 'aws-s3', secrets: KEYS });
    expect((await created()).destination.integration).toBe(destination.integration);
    const rotated = await created({ aws_secret_access_key: 'hush-hush-2' });
    expect(rotated.destination.integration).not.toBe(destination.integration);
  });

  it('becomes S3Compatible with an endpoint', async () => {
    const endpoint_url = 'https://minio.example';
    const made = await created({ endpoint_url, encryption: null, kms_key_id: '' });
    expect(made.destination).toMatchObject({ type: 'S3Compatible', config: { bucket_name: 'b' } });
    const { integration } = made.destination;
    expect((await created({ endpoint_url })).destination.integration).toBe(integration);
    const opened = await openIntegration({ db: bench.db, sealer }, bench.teamId, integration);
    expect(opened).toMatchObject({ kind: 's3-compatible', config: { endpoint_url }, secrets: KEYS });
  });

  it('PATCH without keys keeps them, with keys changes them', async () => {
    const { id, destination } = await created();
    const patch = async (config: Json) =>
      (await bench.call('PATCH', `batch_exports/${id}`, { destination: { type: 'S3', config } })).body
        .destination;
    const kept = await patch({ prefix: 'q' });
    expect(kept).toMatchObject({
      type: 'AwsS3',
      config: { prefix: 'q' },
      integration: destination.integration,
    });
    const changed = await patch({ ...KEYS, aws_secret_access_key: 'hush-hush-3' });
    expect(changed.integration).not.toBe(destination.integration);
  });

  it.each<[string, Json, string, string]>([
    ['no keys', { aws_access_key_id: undefined, aws_secret_access_key: '' }, 'destination', 'integration'],
    ['half a key', { aws_secret_access_key: undefined }, 'destination', 'together'],
    ['an endpoint that is not public', { endpoint_url: 'https://nowhere.example' }, 'destination', 'nowhere'],
    ['an unknown key', { nonsense: 1 }, 'destination__non_field_errors', 'nonsense'],
  ])('refuses %s', async (_, config, attr, told) => {
    const { status, body } = await bench.call('POST', 'batch_exports', {
      ...toFiles(),
      destination: toS3(config),
    });
    expect([status, body]).toMatchObject([400, { code: 'invalid_input', attr }]);
    expect(body.detail).toContain(told);
  });

  it('has no connection test, and stays an unknown choice there', async () => {
    const body = { ...toFiles(), destination: toS3() };
    expect((await bench.call('POST', 'batch_exports/run_test_step_new', body)).body).toMatchObject({
      code: 'invalid_choice',
      attr: 'destination__type',
    });
  });
});

/** Where upstream answers 500, line by line, as far as batch exports go. */
describe('§15', () => {
  let id: string;
  let run: string;
  beforeAll(async () => {
    ({ id } = await bench.create({ interval: 'week', offset_day: 2, offset_hour: 7 }));
    bench.clock.advance(8 * 86_400_000);
    await bench.feature.tick(100);
    run = (await bench.call('GET', `batch_exports/${id}/runs?after=2026-01-01`)).body.results[0].id;
  });

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
      const stored = await bench.call('POST', `batch_exports/${id}/run_test_step`, {
        destination,
        ...change,
      });
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
});
