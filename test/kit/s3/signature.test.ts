import { Agent } from 'node:http';
import { HeadObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Call } from './call.ts';
import { withoutChunks } from './chunked.ts';
import { type S3Server, startS3 } from './server.ts';
import { verifySignature } from './signature.ts';

interface Presigner {
  presign(
    request: object,
    options: { expiresIn: number; signingDate: Date },
  ): Promise<{ query?: Record<string, string> }>;
}

/** The worked example of a chunked upload in Amazon's description of Signature Version 4. */
describe('the example that Amazon gives', () => {
  const credentials = {
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  };
  const signedHeaders =
    'content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class';
  const seed = '4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9';
  const call: Call = {
    operation: 'PutObject',
    bucket: 'examplebucket',
    key: 'chunkObject.txt',
    method: 'PUT',
    rawPath: '/examplebucket/chunkObject.txt',
    query: new URLSearchParams(),
    headers: {
      host: 's3.amazonaws.com',
      'x-amz-date': '20130524T000000Z',
      'x-amz-storage-class': 'REDUCED_REDUNDANCY',
      'x-amz-content-sha256': 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'content-encoding': 'aws-chunked',
      'x-amz-decoded-content-length': '66560',
      'content-length': '66824',
      authorization: `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/20130524/us-east-1/s3/aws4_request,SignedHeaders=${signedHeaders},Signature=${seed}`,
    },
  };
  const now = Date.parse('2013-05-24T00:05:00Z');
  const chunk = (size: number, signature: string) =>
    Buffer.from(`${size.toString(16)};chunk-signature=${signature}\r\n${'a'.repeat(size)}\r\n`);
  const body = Buffer.concat([
    chunk(65_536, 'ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648'),
    chunk(1024, '0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497'),
    chunk(0, 'b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9'),
  ]);
  async function* inPieces(of: Buffer, size: number) {
    for (let at = 0; at < of.length; at += size) yield of.subarray(at, at + size);
  }

  it.each([1, 7, 4096, 100_000])('is accepted, whole and chunk by chunk, in pieces of %i', async (size) => {
    const signed = verifySignature(call, credentials, 'us-east-1', now);
    const pieces: Buffer[] = [];
    for await (const piece of withoutChunks(inPieces(body, size), signed, new Map())) pieces.push(piece);
    expect(Buffer.concat(pieces).equals(Buffer.alloc(66_560, 'a'))).toBe(true);
  });

  it('is refused with one byte changed', async () => {
    const signed = verifySignature(call, credentials, 'us-east-1', now);
    const forged = Buffer.from(body);
    forged[200] = 98;
    const read = async () => {
      for await (const _piece of withoutChunks(inPieces(forged, 999), signed, new Map()));
    };
    await expect(read()).rejects.toMatchObject({ code: 'SignatureDoesNotMatch' });
  });

  it('is refused cut short', async () => {
    const signed = verifySignature(call, credentials, 'us-east-1', now);
    const read = async () => {
      for await (const _piece of withoutChunks(inPieces(body.subarray(0, 60_000), 999), signed, new Map()));
    };
    await expect(read()).rejects.toMatchObject({ code: 'IncompleteBody' });
  });
});

describe('addresses', () => {
  let server: S3Server;
  let client: S3Client;

  beforeAll(async () => {
    server = await startS3({ buckets: ['bucket'] });
    // Every name leads to this machine, as a wildcard record would.
    const httpAgent = new Agent({
      lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    });
    client = new S3Client({
      endpoint: `http://s3.test:${server.port}`,
      region: server.region,
      credentials: server.credentials,
      forcePathStyle: false,
      maxAttempts: 1,
      requestHandler: { httpAgent },
    });
  });
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });

  it('may carry the bucket in the host', async () => {
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'a/ü b', Body: 'hello' }));
    expect(server.journal.at(-1)).toMatchObject({ bucket: 'bucket', key: 'a/ü b', status: 200 });
    expect(server.journal.at(-1)?.headers.host).toBe(`bucket.s3.test:${server.port}`);
    await client.send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'a/ü b' }));
  });

  it('may be presigned, for a while', async () => {
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key: 'signed', Body: 'hello' }));
    const url = await presign(client, '/bucket/signed', 60);
    expect(await (await fetch(url)).text()).toBe('hello');
    const forged = url.replace('/signed?', '/other?');
    expect(await (await fetch(forged)).text()).toContain('<Code>SignatureDoesNotMatch</Code>');
    const expired = await presign(client, '/bucket/signed', 60, new Date(Date.now() - 61_000));
    expect(await (await fetch(expired)).text()).toContain('Request has expired');
  });

  async function presign(from: S3Client, path: string, expiresIn: number, signingDate = new Date()) {
    const scheme = { name: 'sigv4', signingName: 's3', signingRegion: server.region };
    const signer = await (from.config.signer as unknown as (scheme: object) => Promise<Presigner>)(scheme);
    const { hostname, port, protocol } = new URL(server.url);
    const headers = { host: `${hostname}:${port}`, 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const request = {
      method: 'GET',
      protocol,
      hostname,
      port: Number(port),
      path,
      headers,
      query: {},
    };
    const { query = {} } = await signer.presign(request, { expiresIn, signingDate });
    return `${server.url}${path}?${new URLSearchParams(query)}`;
  }
});
