import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exportsUsing } from '../../src/batch-exports/store.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { type Json, type ServedBench, serveBench } from './batch-exports-kit.ts';

/** contract.md §5, "Per-destination checks", line by line. All are answered with attr `destination`. */
const PUBLIC = 'db.example';
const INSIDE = 'db.inside.example';
const hosts = createHostGuard(['10.1.0.0/16', '*.allowed.example'], async (host) => {
  if (host === PUBLIC) return [{ address: '93.184.216.34', family: 4 }];
  if (host === INSIDE) return [{ address: '10.1.2.3', family: 4 }];
  if (host === 'metadata.example') return [{ address: '169.254.169.254', family: 4 }];
  throw new Error('no such name');
});
const AWS_KEYS = { aws_access_key_id: 'AKIA', aws_secret_access_key: 'hush-hush' };

let bench: ServedBench;
const ids: Record<string, number> = {};
beforeAll(async () => {
  bench = await serveBench({ hosts });
  const add = async (name: string, kind: string, config = {}, secrets = {}) => {
    ids[name] = await bench.addIntegration(kind, config, secrets);
  };
  const login = { host: PUBLIC, port: 5432, user: 'loader' };
  await add('postgres', 'postgresql', login, { password: 'x' });
  await add('postgres inside', 'postgresql', { ...login, host: INSIDE });
  await add('postgres private', 'postgresql', { ...login, host: '192.168.1.1' });
  await add('redshift', 'aws-redshift', login, { password: 'x' });
  await add('redshift keys', 'aws-redshift', { user: 'loader' }, AWS_KEYS);
  await add('snowflake', 'snowflake', { account: 'acme', user: 'u', authentication_type: 'password' });
  await add('snowflake old', 'snowflake', { account: 'acme', user: 'u' });
  const client = { client_id: 'c', client_secret: 's' };
  await add('databricks', 'databricks', { server_hostname: PUBLIC }, client);
  await add('databricks old', 'databricks', { server_hostname: PUBLIC }, { client_id: 'c' });
  const account = { service_account_email: 'a@b', project_id: 'p' };
  await add('bigquery', 'google-cloud-service-account', account);
  await add('bigquery old', 'google-cloud-service-account', { service_account_email: 'a@b' });
  await add('azure', 'azure-blob', {}, { connection_string: 'AccountName=a' });
  await add('azure old', 'azure-blob');
  await add('s3', 'aws-s3', {}, AWS_KEYS);
  await add('s3 too', 'aws-s3', {}, AWS_KEYS);
  await add('compatible', 's3-compatible', {}, AWS_KEYS);
});
afterAll(() => bench.close());

const BASE: Record<string, readonly [config: Record<string, unknown>, integration: string | null]> = {
  AwsS3: [{ bucket_name: 'b', region: 'eu', prefix: 'p' }, 's3'],
  Snowflake: [{ database: 'd', warehouse: 'w', schema: 's' }, 'snowflake'],
  Postgres: [{ database: 'd' }, 'postgres'],
  Redshift: [{ database: 'd' }, 'redshift'],
  BigQuery: [{ dataset_id: 'd' }, 'bigquery'],
  Databricks: [{ http_path: 'h', catalog: 'c', schema: 's', table_name: 't' }, 'databricks'],
  AzureBlob: [{ container_name: 'c' }, 'azure'],
  HTTP: [{ url: 'https://us.i.posthog.com/batch/', token: 't' }, null],
};

/** `integration`: a name from above, or null. */
function destinationOf(
  type: string,
  config: Json = {},
  integration: string | null = BASE[type]?.[1] ?? null,
) {
  return { type, config: { ...BASE[type]?.[0], ...config }, integration: integration && ids[integration] };
}

const create = (destination: Json) =>
  bench.call('POST', 'batch_exports', { name: 'x', interval: 'hour', destination });
async function created(destination: Json): Promise<string> {
  const { status, body } = await create(destination);
  expect(status, JSON.stringify(body)).toBe(201);
  return body.id;
}
const patch = (id: string, destination: Json) => bench.call('PATCH', `batch_exports/${id}`, { destination });

function expectRefused({ status, body }: { status: number; body: Json }, told = ''): void {
  expect([status, body]).toEqual([
    400,
    {
      type: 'validation_error',
      code: 'invalid_input',
      attr: 'destination',
      detail: expect.stringContaining(told),
    },
  ]);
}

/** An export as it was stored before there were integrations. */
async function inlineExport(type: 'Postgres' | 'Redshift', host = PUBLIC): Promise<string> {
  const id = await created(destinationOf(type));
  const secret = { user: 'old', password: 'hush-hush' };
  await bench.db
    .updateTable('batch_exports')
    .set({
      integration_id: null,
      destination_config: JSON.stringify({ database: 'd', host, port: 5432 }),
      destination_sealed: bench.ports.seal(JSON.stringify(secret), `batch-export:${id}`),
    })
    .where('id', '=', id)
    .execute();
  return id;
}

describe('which integration', () => {
  const types = Object.keys(BASE).filter((type) => type !== 'HTTP');
  it.each(types)('%s: the right one is accepted; another kind, none, and null are not', async (type) => {
    await created(destinationOf(type));
    expectRefused(await create(destinationOf(type, {}, 'compatible')), 's3-compatible');
    expectRefused(await create({ ...destinationOf(type), integration: undefined }));
    expectRefused(await create(destinationOf(type, {}, null)));
  });

  it.each(types)('%s: another project’s does not exist', async (type) => {
    const destination = { ...destinationOf(type), integration: 9999 };
    expect((await create(destination)).body).toMatchObject({
      code: 'does_not_exist',
      attr: 'destination__integration',
    });
  });

  it.each(['AwsS3', 'Snowflake', 'Postgres'])('%s: PATCH may leave it out, but not null it', async (type) => {
    const id = await created(destinationOf(type));
    const { status, body } = await patch(id, { type, config: {} });
    expect([status, body.destination.integration]).toEqual([200, ids[BASE[type]?.[1] ?? '']]);
    expectRefused(await patch(id, { type, config: {}, integration: null }));
  });

  it.each(['BigQuery', 'Databricks', 'AzureBlob', 'Redshift'])(
    '%s: every write must send it',
    async (type) => {
      const id = await created(destinationOf(type));
      expectRefused(await patch(id, { type, config: {} }));
      expectRefused(await patch(id, { type, config: {}, integration: null }));
      const integration = ids[BASE[type]?.[1] ?? ''];
      expect((await patch(id, { type, config: {}, integration })).status).toBe(200);
      expect((await bench.call('PATCH', `batch_exports/${id}`, { name: 'y' })).status).toBe(200);
    },
  );

  it.each([
    ['Snowflake', 'snowflake old', 'authentication_type'],
    ['Databricks', 'databricks old', 'client_secret'],
    ['BigQuery', 'bigquery old', 'project_id'],
    ['AzureBlob', 'azure old', 'connection_string'],
  ])('%s: one that lacks something is refused', async (type, integration, told) => {
    expectRefused(await create(destinationOf(type, {}, integration)), told);
  });
});

describe('hosts of Postgres and Redshift', () => {
  it.each([
    ['Postgres', 'postgres private'],
    ['Redshift', 'redshift keys', '127.0.0.1'],
    ['Redshift', 'redshift keys', '10.2.0.1'],
    ['Redshift', 'redshift keys', '::1'],
    ['Redshift', 'redshift keys', 'metadata.example'],
    ['Redshift', 'redshift keys', 'unknown.example'],
  ])('%s, %s %s: must be public', async (type, integration, host = undefined) => {
    expectRefused(await create(destinationOf(type, host === undefined ? {} : { host }, integration)), 'host');
  });

  it('may be what SLUICE_ALLOWED_HOSTS allows', async () => {
    await created(destinationOf('Postgres', {}, 'postgres inside'));
    await created(destinationOf('Redshift', { host: 'red.allowed.example' }, 'redshift keys'));
  });

  it('Redshift by AWS credentials needs one in its config', async () => {
    expectRefused(await create(destinationOf('Redshift', {}, 'redshift keys')), 'host');
    await created(destinationOf('Redshift', { host: PUBLIC }, 'redshift keys'));
  });

  it('the integration’s counts, whatever the config says', async () => {
    expectRefused(await create(destinationOf('Postgres', { host: PUBLIC }, 'postgres private')), 'host');
    await created(destinationOf('Redshift', { host: '127.0.0.1' }, 'redshift'));
  });
});

describe('credentials inside the config', () => {
  it.each(['user', 'password', 'host', 'port'])('PATCH of a linked Postgres refuses %s', async (key) => {
    const id = await created(destinationOf('Postgres'));
    const value = key === 'port' ? 5432 : PUBLIC;
    expectRefused(await patch(id, { type: 'Postgres', config: { [key]: value } }), `'${key}'`);
  });

  it('a linked Postgres that was created with them takes back what it shows, and nothing else', async () => {
    const destination = destinationOf('Postgres', { host: PUBLIC, port: 5432 });
    const id = await created(destination);
    const { body } = await bench.call('GET', `batch_exports/${id}`);
    expect(body.destination.config).toMatchObject({ host: PUBLIC, port: 5432 });
    expect((await patch(id, body.destination)).status).toBe(200);
    expectRefused(await patch(id, { type: 'Postgres', config: { port: 5433 } }), "'port'");
  });

  it.each(['Postgres', 'Redshift'] as const)('an old %s without a link stays editable', async (type) => {
    const id = await inlineExport(type);
    const { status, body } = await patch(id, { type, config: { table_name: 't', password: 'new' } });
    expect([status, body.destination]).toEqual([
      200,
      { type, config: { database: 'd', host: PUBLIC, port: 5432, table_name: 't' }, integration: null },
    ]);
    expectRefused(await patch(id, { type, config: { host: '127.0.0.1' } }), '127.0.0.1');
    const linked = await patch(id, { type, config: {}, integration: ids[BASE[type]?.[1] ?? ''] });
    expect([linked.status, linked.body.destination.integration]).toEqual([200, ids[BASE[type]?.[1] ?? '']]);
  });
});

describe('Redshift, COPY', () => {
  const ROLE = 'arn:aws:iam::123456789012:role/copy';
  const inputs = (changes: Json = {}) => ({
    mode: 'COPY',
    copy_inputs: {
      s3_bucket: 'b',
      region_name: 'eu-central-1',
      authorization: ROLE,
      bucket_credentials: AWS_KEYS,
      ...changes,
    },
  });

  it.each<[string, Json, string]>([
    ['no inputs', { mode: 'COPY' }, 'copy_inputs'],
    ['empty inputs', { mode: 'COPY', copy_inputs: {} }, 'copy_inputs'],
    ...['s3_bucket', 'region_name', 'authorization', 'bucket_credentials'].map(
      (key): [string, Json, string] => [`no ${key}`, inputs({ [key]: undefined }), key],
    ),
    ['a blank bucket', inputs({ s3_bucket: ' ' }), 's3_bucket'],
    ['a bucket that is no text', inputs({ s3_bucket: 5 }), 's3_bucket'],
    ['a prefix that is no text', inputs({ s3_key_prefix: 5 }), 's3_key_prefix'],
    ['a blank role', inputs({ authorization: '  ' }), 'authorization'],
    ['a role that is none', inputs({ authorization: 'admin' }), 'authorization'],
    ['a role for the bucket', inputs({ bucket_credentials: ROLE }), 'bucket_credentials'],
    ...['authorization', 'bucket_credentials'].flatMap((key): [string, Json, string][] => [
      [`${key} as a list`, inputs({ [key]: ['a'] }), key],
      [`${key} as a flag`, inputs({ [key]: true }), key],
      [`${key} as a fraction`, inputs({ [key]: 1.5 }), key],
      [`${key} with half a key`, inputs({ [key]: { aws_access_key_id: 'a' } }), key],
      [`${key} from an integration that is not there`, inputs({ [key]: 9999 }), key],
    ]),
  ])('refuses %s', async (_, config, told) => {
    expectRefused(await create(destinationOf('Redshift', config)), told);
  });

  it.each(['authorization', 'bucket_credentials'])('%s: an integration of kind aws-s3 only', async (key) => {
    expectRefused(await create(destinationOf('Redshift', inputs({ [key]: ids.compatible }))), key);
    await created(destinationOf('Redshift', inputs({ [key]: ids.s3 })));
  });

  it('never shows keys, however deep, and keeps them', async () => {
    const id = await created(destinationOf('Redshift', inputs({ authorization: AWS_KEYS })));
    const { body } = await patch(id, { ...destinationOf('Redshift'), config: { table_name: 't' } });
    expect(body.destination.config.copy_inputs).toEqual({
      s3_bucket: 'b',
      region_name: 'eu-central-1',
      authorization: {},
      bucket_credentials: {},
    });
  });

  it('shows numbers of integrations as numbers; they may be swapped, but not go back to keys or a role', async () => {
    const linked = { authorization: String(ids.s3), bucket_credentials: ids.s3 };
    const id = await created(destinationOf('Redshift', inputs(linked)));
    const change = (copy_inputs: Json) =>
      patch(id, { ...destinationOf('Redshift'), config: { copy_inputs } });
    const swapped = await change({ bucket_credentials: `${ids['s3 too']}` });
    expect(swapped.body.destination.config.copy_inputs).toMatchObject({
      authorization: ids.s3,
      bucket_credentials: ids['s3 too'],
    });
    expectRefused(await change({ bucket_credentials: AWS_KEYS }), 'bucket_credentials');
    expectRefused(await change({ authorization: AWS_KEYS }), 'authorization');
    expectRefused(await change({ authorization: ROLE }), 'authorization');
    expect(await exportsUsing(bench.db, bench.teamId, ids['s3 too'] ?? 0)).toEqual(['x']);
  });

  it('INSERT needs none of it', async () => {
    await created(destinationOf('Redshift', { mode: 'INSERT' }));
  });
});

describe('HTTP', () => {
  it.each([
    'https://us.i.posthog.com/batch/',
    'https://eu.i.posthog.com/batch/',
    'https://events.allowed.example/batch/',
    'http://10.1.0.9:8000/batch/',
    `http://${INSIDE}/batch/`,
  ])('accepts %s', async (url) => {
    await created(destinationOf('HTTP', { url }));
  });

  it.each([
    'https://us.i.posthog.com/batch',
    'http://us.i.posthog.com/batch/',
    'https://us.i.posthog.com:8443/batch/',
    `https://${PUBLIC}/batch/`,
    'http://127.0.0.1/batch/',
    'https://unknown.example/batch/',
    'https://events.allowed.example/capture/',
    'ftp://events.allowed.example/batch/',
    'https://user:secret@events.allowed.example/batch/',
    'ht\ttps://events.allowed.example/batch/',
    '\u0001https://events.allowed.example/batch/',
    'batch',
    '',
  ])('refuses %j', async (url) => {
    expectRefused(await create(destinationOf('HTTP', { url })), 'url');
  });
});

describe('connection tests ask the same', () => {
  it('for a new export and a stored one', async () => {
    const body = {
      name: 'x',
      interval: 'hour',
      destination: destinationOf('Databricks', {}, 'databricks old'),
    };
    expectRefused(await bench.call('POST', 'batch_exports/run_test_step_new', body), 'client_secret');
    const id = await created(destinationOf('Snowflake'));
    const destination = { ...destinationOf('Snowflake', {}, 'snowflake old') };
    expectRefused(await bench.call('POST', `batch_exports/${id}/run_test_step`, { destination }));
  });
});
