import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserSchema } from '../../src/accounts/user.ts';
import { integrationsEndpoints } from '../../src/integrations/endpoints.ts';
import { type IntegrationPorts, openIntegration } from '../../src/integrations/integrations.ts';
import { createSealer } from '../../src/integrations/sealing.ts';
import { systemClock } from '../../src/work/clock.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import { type Api, seededBytes, startApi } from './start-api.ts';

/** contract.md §10: the kinds that belong to databases, warehouses and other clouds. */
const SECRET = 'wJalrXUtnFEMI-very-secret-key';
const ROLE = 'arn:aws:iam::123456789012:role/exports';
const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const PUBLIC = 'db.example';
const GOOGLE = 'https://oauth2.googleapis.com/token';

let api: Api;
let path: string;
let ports: IntegrationPorts;
let level = 15;

beforeAll(async () => {
  const guard = createHostGuard([], async (host) => {
    if (host === PUBLIC) return [{ address: '93.184.216.34', family: 4 }];
    throw new Error('no such name');
  });
  api = await startApi(({ database, accounts }) => {
    ports = {
      db: database.kysely,
      clock: systemClock,
      sealer: createSealer(['a secret for tests of at least 32 bytes'], seededBytes('kinds')),
      recordActivity: accounts.recordActivity,
      membershipLevel: async () => level,
      usedBy: async () => [],
      letGo: async () => {},
      problemWithHost: guard.problemWith,
    };
    return integrationsEndpoints(ports, { schema: UserSchema, users: accounts.users });
  });
  path = `/api/projects/${api.projectId}/integrations`;
});
afterAll(() => api.close());

const create = (kind: string, config: unknown) => api.call('POST', path, { json: { kind, config } });

const postgres = { host: PUBLIC, port: 5433, user: 'loader', password: SECRET };
const snowflake = { name: 'snow', account: 'acme-eu.1', user: 'LOADER' };
const databricks = { server_hostname: PUBLIC, client_id: 'c', client_secret: SECRET };
const google = { service_account_email: 'loader@acme.iam.gserviceaccount.com', project_id: 'acme' };
const key = { private_key: SECRET, private_key_id: 'k1', token_uri: GOOGLE };
const azure = { connection_string: `DefaultEndpointsProtocol=https;AccountName=acme;AccountKey=${SECRET}==` };
const awsKeys = { aws_access_key_id: 'AKIA', aws_secret_access_key: SECRET };
const redshift = { name: 'red', user: 'loader', groups: ['writers'] };
const tls = { ssl_mode: 'require', ssl_root_cert: null };

describe('§10 creating', () => {
  it.each([
    ['postgresql', postgres, { host: PUBLIC, port: 5433, user: 'loader', ...tls }, /^ID: .+:5433:loader$/],
    [
      'postgresql',
      { ...postgres, port: '6432', ssl_mode: 'verify-full', ssl_root_cert: CERTIFICATE },
      { host: PUBLIC, port: 6432, user: 'loader', ssl_mode: 'verify-full', ssl_root_cert: CERTIFICATE },
      /^ID: .+:6432:loader$/,
    ],
    [
      'snowflake',
      { ...snowflake, password: SECRET },
      { ...snowflake, authentication_type: 'password' },
      /^snow \(acme-eu\.1\)$/,
    ],
    [
      'snowflake',
      { ...snowflake, name: 'pair', authentication_type: 'keypair', private_key: SECRET },
      { ...snowflake, name: 'pair', authentication_type: 'keypair' },
      /^pair \(/,
    ],
    ['databricks', databricks, { server_hostname: PUBLIC }, /^db\.example$/],
    ['google-cloud-service-account', google, google, /^ID: loader@acme/],
    ['google-cloud-service-account', { ...google, ...key }, google, /^ID: loader@acme/],
    ['azure-blob', azure, {}, /^ID: acme$/],
    [
      'aws-redshift',
      { ...postgres, port: undefined },
      { host: PUBLIC, port: 5439, user: 'loader', ...tls },
      /^ID: .+:5439:loader$/,
    ],
    [
      'aws-redshift',
      { ...redshift, ...awsKeys },
      { ...redshift, auto_create: false, workgroup_arn: null },
      /^red \(AWS access key\)$/,
    ],
    [
      'aws-redshift',
      { ...redshift, name: 'role', aws_role_arn: ROLE, auto_create: true },
      { ...redshift, name: 'role', aws_role_arn: ROLE, auto_create: true, workgroup_arn: null },
      /^role \(arn:/,
    ],
  ])('%s %#', async (kind, sent, shown, name) => {
    const { status, body, text } = await create(kind, sent);
    expect(status, text).toBe(201);
    expect(body.config).toEqual(shown);
    expect(body.display_name).toMatch(name);
    expect(text).not.toContain(SECRET);
    const opened = await openIntegration(ports, api.projectId, body.id);
    const secrets = Object.values(opened?.secrets ?? {}).join('\n');
    expect(secrets.includes(SECRET)).toBe(JSON.stringify(sent).includes(SECRET));
  });

  it.each([
    ['postgresql', { ...postgres, password: undefined }],
    ['postgresql', { ...postgres, host: '127.0.0.1' }],
    ['postgresql', { ...postgres, host: 'https://db.example' }],
    ['postgresql', { ...postgres, host: 'unknown.example' }],
    ['postgresql', { ...postgres, port: 65_536 }],
    ['postgresql', { ...postgres, ssl_mode: 'disable' }],
    ['postgresql', { ...postgres, ssl_mode: 'verify-ca' }],
    ['postgresql', { ...postgres, ssl_mode: 'verify-ca', ssl_root_cert: 'x' }],
    ['snowflake', { ...snowflake, name: 'x' }],
    ['snowflake', { ...snowflake, name: 'x', account: 'a/b', password: SECRET }],
    ['snowflake', { ...snowflake, name: 'x', authentication_type: 'oauth', password: SECRET }],
    ['snowflake', { ...snowflake, name: 'x', authentication_type: 'keypair', password: SECRET }],
    ['snowflake', { ...snowflake, password: SECRET }],
    ['databricks', { ...databricks, server_hostname: 'https://db.example/' }],
    ['databricks', { ...databricks, client_secret: '' }],
    ['google-cloud-service-account', { ...google, service_account_email: 'nobody' }],
    ['google-cloud-service-account', { ...google, private_key: SECRET }],
    ['google-cloud-service-account', { ...google, ...key, token_uri: 'https://evil.example/token' }],
    ['azure-blob', { connection_string: `AccountKey=${SECRET}` }],
    ['azure-blob', { connection_string: `DefaultEndpointsProtocol=http;AccountName=a;AccountKey=${SECRET}` }],
    ['azure-blob', { connection_string: 'AccountName=a;BlobEndpoint=https://127.0.0.1/a' }],
    ['azure-blob', { connection_string: 'AccountName=a;BlobEndpoint=ht\ttps://db.example/a' }],
    ['azure-blob', { connection_string: 'AccountName=a;BlobEndpoint=\u0001https://db.example/a' }],
    ['aws-redshift', { ...redshift, name: 'x', ...awsKeys, aws_role_arn: ROLE }],
    ['aws-redshift', { ...redshift, name: 'x', aws_role_arn: 'arn:aws:s3:::x' }],
    ['aws-redshift', { ...redshift, name: 'x', ...awsKeys, groups: 'writers' }],
    ['aws-redshift', { ...redshift, ...awsKeys }],
    ['aws-redshift', { ...postgres, host: '169.254.169.254' }],
  ])('%s refuses %# with 400 invalid_input, attr null, and repeats no secret', async (kind, sent) => {
    const { status, body, text } = await create(kind, sent);
    expect([status, body.type, body.code, body.attr]).toEqual([
      400,
      'validation_error',
      'invalid_input',
      null,
    ]);
    expect(text).not.toContain(SECRET);
  });
});

describe('§10 the same identity again', () => {
  it('is replaced by an administrator, under its number', async () => {
    const first = await create('databricks', databricks);
    const second = await create('databricks', { ...databricks, client_secret: 'another' });
    expect([second.status, second.body.id]).toEqual([201, first.body.id]);
    expect((await openIntegration(ports, api.projectId, first.body.id))?.secrets.client_secret).toBe(
      'another',
    );
  });

  it('is refused to others with 403', async () => {
    await create('azure-blob', azure);
    level = 1;
    try {
      const again = await create('azure-blob', azure);
      expect([again.status, again.body.code]).toEqual([403, 'permission_denied']);
      expect(
        (await create('azure-blob', { connection_string: 'AccountName=fresh;AccountKey=k' })).status,
      ).toBe(201);
    } finally {
      level = 15;
    }
  });
});
