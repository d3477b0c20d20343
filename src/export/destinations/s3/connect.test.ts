import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { awsConnection } from '../aws-s3.ts';
import { compatibleConnection } from '../s3-compatible.ts';
import { clientOf, nameOf } from './connection.ts';
import { defaultLimits } from './limits.ts';
import { assumedRole, sessionPolicy } from './role.ts';

const keys = { aws_access_key_id: 'AKIA', aws_secret_access_key: 'very-secret' };
const config = { bucket_name: ' lake ', region: 'eu-central-1', prefix: 'p/' };

describe('Amazon', () => {
  const setup = (change: object, integration: object = keys) => ({
    type: 'AwsS3',
    config: { ...config, ...change },
    integration: { ...integration },
  });

  const ROLE = { aws_role_arn: 'arn:aws:iam::123456789012:role/x' };

  it('reads bucket, region, keys and encryption', () => {
    expect(awsConnection(setup({ encryption: 'aws:kms', kms_key_id: 'k' }))).toMatchObject({
      bucket: 'lake',
      region: 'eu-central-1',
      endpoint: null,
      credentials: { accessKeyId: 'AKIA', secretAccessKey: 'very-secret' },
      encryption: { algorithm: 'aws:kms', keyId: 'k' },
    });
    expect(awsConnection(setup({ encryption: 'AES256', kms_key_id: 'k' })).encryption?.keyId).toBeNull();
    expect(awsConnection(setup({})).encryption).toBeNull();
  });

  it.each(['x.evil.example/', 'a b', '', '169.254.169.254#'])(
    'takes no region %j into a host name',
    (region) => {
      expect(() => awsConnection(setup({ region }))).toThrow(
        expect.objectContaining({ code: 'destination_config' }),
      );
    },
  );

  it('wants keys or a role', () => {
    expect(() => awsConnection(setup({}, {}))).toThrow(
      expect.objectContaining({ code: 'destination_config' }),
    );
    const role = awsConnection(setup({}, { ...ROLE, external_id: 'an organization' }));
    expect(typeof role.credentials).toBe('function');
  });

  it('assumes no role without the external id of its integration', () => {
    for (const change of [{}, { external_id: 'sent by somebody' }]) {
      expect(() => awsConnection(setup(change, ROLE))).toThrow(
        expect.objectContaining({
          code: 'destination_config',
          message: expect.stringContaining('external id'),
        }),
      );
    }
  });

  it('lets a role do what an export needs, in its bucket', () => {
    const roleArn = ROLE.aws_role_arn;
    const policy = JSON.stringify(sessionPolicy({ roleArn, bucket: 'lake', encrypted: false }));
    expect(policy).toContain('arn:aws:s3:::lake/*');
    // Without it S3 answers 403 for an object that is not there.
    expect(policy).toContain('"s3:ListBucket"');
    expect(policy).not.toContain('kms:');
    expect(JSON.stringify(sessionPolicy({ roleArn, bucket: 'lake', encrypted: true }))).toContain(
      'kms:GenerateDataKey',
    );
  });
});

it.each(['aws', 'aws-cn', 'aws-us-gov'])(
  'a role of %s reaches the buckets of its own partition',
  (partition) => {
    const roleArn = `arn:${partition}:iam::123456789012:role/x`;
    const policy = JSON.stringify(sessionPolicy({ roleArn, bucket: 'lake', encrypted: false }));
    expect(policy.match(/arn:[a-z-]+:s3:::/g)).toEqual(Array(2).fill(`arn:${partition}:s3:::`));
  },
);

describe('a role that cannot be assumed', () => {
  const order = {
    roleArn: 'arn:aws:iam::123456789012:role/x',
    externalId: 'id-of-the-organization',
    region: 'eu-central-1',
    bucket: 'lake',
    encrypted: false,
  };
  let sts: Server;
  let answer = { status: 0, code: '' };
  const asked: string[] = [];
  beforeAll(async () => {
    sts = createServer(async (request, response) => {
      const sent = new URLSearchParams(await text(request));
      asked.push(sent.get('ExternalId') ?? '');
      if (answer.status === 0) return void response.destroy();
      const error = `<Error><Type>Sender</Type><Code>${answer.code}</Code><Message>m</Message></Error>`;
      response.writeHead(answer.status, { 'content-type': 'text/xml' });
      response.end(`<ErrorResponse>${error}<RequestId>r</RequestId></ErrorResponse>`);
    }).listen(0, '127.0.0.1');
    await once(sts, 'listening');
    vi.stubEnv('AWS_ENDPOINT_URL_STS', `http://127.0.0.1:${(sts.address() as AddressInfo).port}`);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'very-secret');
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    sts.close();
  });

  it.each([
    ['the connection is lost', 0, '', 'destination_unavailable'],
    ['Amazon throttles', 400, 'Throttling', 'destination_unavailable'],
    ['Amazon is not well', 503, 'ServiceUnavailable', 'destination_unavailable'],
    ['the role refuses', 403, 'AccessDenied', 'destination_denied'],
  ])('%s', { timeout: 20_000 }, async (_name, status, code, meaning) => {
    answer = { status, code };
    await expect(assumedRole(order)()).rejects.toMatchObject({ code: meaning });
  });

  it('the server cannot ask for its own credentials for now', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', undefined);
    vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', '/nonexistent');
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent');
    vi.stubEnv('AWS_EC2_METADATA_SERVICE_ENDPOINT', 'http://127.0.0.1:1');
    await expect(assumedRole(order)()).rejects.toMatchObject({
      code: 'destination_unavailable',
      message: expect.stringContaining('CredentialsProviderError'),
    });
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIA');
  });

  it('is tried with a wrong external id first, and only then with the one of its organization', async () => {
    answer = { status: 403, code: 'AccessDenied' };
    asked.length = 0;
    await expect(assumedRole(order)()).rejects.toMatchObject({ code: 'destination_denied' });
    expect(asked).toEqual([expect.stringMatching(/^[\da-f-]{36}$/), order.externalId]);
  });
});

describe('a compatible store', () => {
  const setup = (change: object, integration: object = {}) => ({
    type: 'S3Compatible',
    config: { ...config, ...change },
    integration: { ...keys, endpoint_url: 'https://s3.example:9000', ...integration },
  });

  it.each([
    [false, 's3.example', '/lake/k'],
    [true, 'lake.s3.example', '/k'],
  ])('is addressed with the bucket in the host: %s', async (virtual, hostname, path) => {
    const connection = compatibleConnection(setup({ use_virtual_style_addressing: virtual }));
    const client = clientOf(connection, defaultLimits);
    let sent: unknown;
    client.middlewareStack.add(
      () => async (args) => {
        sent = args.request;
        throw new Error('not sent');
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    const { DeleteObjectCommand } = await import('@aws-sdk/client-s3');
    const command = new DeleteObjectCommand({ Bucket: connection.bucket, Key: 'k' });
    await expect(client.send(command)).rejects.toThrow('not sent');
    expect(sent).toMatchObject({ hostname, path });
    client.destroy();
  });

  it('wants an endpoint, and names the place without a secret', () => {
    for (const endpoint_url of [undefined, 'nowhere']) {
      expect(() => compatibleConnection(setup({}, { endpoint_url }))).toThrow(
        expect.objectContaining({ code: 'destination_config' }),
      );
    }
    expect(nameOf(compatibleConnection(setup({})))).toBe('bucket lake (s3.example:9000)');
  });
});
