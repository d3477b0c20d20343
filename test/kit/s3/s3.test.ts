import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ChecksumName, checksum } from './checksums.ts';
import { type S3Server, startS3 } from './server.ts';

const MIB = 1 << 20;
let server: S3Server;
let client: S3Client;
let number = 0;
const clients: S3Client[] = [];
const Bucket = 'bucket';
const newKey = () => `dir/${++number} a+b:c/ü&<x>'`;
const body = (size: number) => Buffer.alloc(size, 'abcdefghij');

function connect(change: S3ClientConfig = {}): S3Client {
  const made = new S3Client({
    endpoint: server.url,
    region: server.region,
    credentials: server.credentials,
    forcePathStyle: true,
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    ...change,
  });
  clients.push(made);
  return made;
}

beforeAll(async () => {
  server = await startS3({ buckets: [Bucket] });
  client = connect();
});
afterEach(() => server.faults.clear());
afterAll(async () => {
  for (const made of clients) made.destroy();
  await server.stop();
});

const text = async (Key: string) =>
  await (await client.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString();
const upload = async (Key: string, change: object = {}) =>
  (await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...change }))).UploadId as string;
const part = async (Key: string, UploadId: string, PartNumber: number, size: number) => {
  const { ETag } = await client.send(
    new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: body(size) }),
  );
  return { PartNumber, ETag };
};
const complete = (Key: string, UploadId: string, Parts: object[], change: object = {}) =>
  client.send(
    new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts }, ...change }),
  );

describe('checksums', () => {
  /** The check values that the catalogue of CRC algorithms gives for "123456789". */
  it.each([
    ['crc32', 'cbf43926'],
    ['crc32c', 'e3069283'],
    ['crc64nvme', 'ae8b14860a799888'],
  ] as const)('%s', (name, expected) => {
    const sum = checksum(name);
    sum.update(Buffer.from('1234'));
    sum.update(Buffer.from('56789'));
    expect(Buffer.from(sum.digest(), 'base64').toString('hex')).toBe(expected);
  });
});

describe('who may', () => {
  const put = (made: S3Client) => made.send(new PutObjectCommand({ Bucket, Key: 'who', Body: 'x' }));

  it('refuses an unknown key id and a wrong secret', async () => {
    const { accessKeyId, secretAccessKey } = server.credentials;
    const unknown = connect({ credentials: { accessKeyId: 'AKIANOBODY', secretAccessKey } });
    await expect(put(unknown)).rejects.toMatchObject({ name: 'InvalidAccessKeyId' });
    const wrong = connect({ credentials: { accessKeyId, secretAccessKey: 'wrong' } });
    await expect(put(wrong)).rejects.toMatchObject({ name: 'SignatureDoesNotMatch' });
    expect(server.objects(Bucket)).not.toContain('who');
  });

  it('refuses no signature, and another region', async () => {
    const bare = await fetch(`${server.url}/${Bucket}/who`);
    expect([bare.status, await bare.text()]).toEqual([
      403,
      expect.stringContaining('<Code>AccessDenied</Code>'),
    ]);
    await expect(put(connect({ region: 'eu-west-1' }))).rejects.toMatchObject({
      name: 'AuthorizationHeaderMalformed',
    });
  });

  it('refuses a clock that is off by more than 15 minutes', async () => {
    const late = connect({ systemClockOffset: -16 * 60_000 });
    await expect(put(late)).rejects.toMatchObject({ name: 'RequestTimeTooSkewed' });
    await put(connect({ systemClockOffset: -14 * 60_000 }));
  });

  it('checks the content against its signature', async () => {
    const made = connect();
    made.middlewareStack.add(
      (next) => async (args) => {
        (args.request as { body: Buffer }).body = Buffer.from('forged');
        return await next(args);
      },
      { step: 'finalizeRequest', priority: 'low' },
    );
    const sent = made.send(new PutObjectCommand({ Bucket, Key: 'forged', Body: Buffer.from('honest') }));
    await expect(sent).rejects.toMatchObject({ name: 'XAmzContentSHA256Mismatch' });
    expect(server.objects(Bucket)).not.toContain('forged');
  });
});

describe('objects', () => {
  it('are put, described, read, listed, copied and deleted', async () => {
    const Key = newKey();
    const { ETag } = await client.send(
      new PutObjectCommand({ Bucket, Key, Body: 'hello', ContentType: 'text/x', Metadata: { a: 'b' } }),
    );
    expect(ETag).toBe(`"${createHash('md5').update('hello').digest('hex')}"`);
    expect(await client.send(new HeadObjectCommand({ Bucket, Key }))).toMatchObject({
      ContentLength: 5,
      ContentType: 'text/x',
      ETag,
      Metadata: { a: 'b' },
    });
    expect(await text(Key)).toBe('hello');
    const copy = newKey();
    await client.send(
      new CopyObjectCommand({ Bucket, Key: copy, CopySource: encodeURI(`${Bucket}/${Key}`) }),
    );
    await client.send(new DeleteObjectCommand({ Bucket, Key }));
    await client.send(new DeleteObjectCommand({ Bucket, Key }));
    await expect(text(Key)).rejects.toMatchObject({ name: 'NoSuchKey' });
    expect(await text(copy)).toBe('hello');
    await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: copy }] } }));
    expect(server.objects(Bucket)).not.toContain(copy);
  });

  it.each(['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const)('check %s', async (name) => {
    const Key = newKey();
    await client.send(new PutObjectCommand({ Bucket, Key, Body: 'hello', ChecksumAlgorithm: name }));
    const got = await client.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: 'ENABLED' }));
    expect(await got.Body?.transformToString()).toBe('hello');
    const sum = checksum(name.toLowerCase() as ChecksumName);
    sum.update(Buffer.from('hello'));
    expect(got[`Checksum${name}`]).toBe(sum.digest());
    const wrong = { Bucket, Key: newKey(), Body: 'hello', [`Checksum${name}`]: got[`Checksum${name}`] };
    await client.send(new PutObjectCommand(wrong));
    await expect(client.send(new PutObjectCommand({ ...wrong, Body: 'jello' }))).rejects.toMatchObject({
      name: 'BadDigest',
    });
  });

  it('arrive in chunks with a trailing checksum, from a stream', async () => {
    const Key = newKey();
    const Body = Readable.from([body(70_000), body(3), body(200_000)]);
    const trailing = connect({ requestChecksumCalculation: 'WHEN_SUPPORTED' });
    await trailing.send(new PutObjectCommand({ Bucket, Key, Body, ContentLength: 270_003 }));
    expect(server.journal.at(-1)?.headers).toMatchObject({
      'x-amz-content-sha256': 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'x-amz-trailer': 'x-amz-checksum-crc32',
    });
    expect(await server.content(Bucket, Key)).toEqual(Buffer.concat([body(70_000), body(3), body(200_000)]));
  });

  it('check Content-MD5', async () => {
    const put = (ContentMD5: string) =>
      client.send(new PutObjectCommand({ Bucket, Key: newKey(), Body: 'hello', ContentMD5 }));
    await put(createHash('md5').update('hello').digest('base64'));
    await expect(put(createHash('md5').update('other').digest('base64'))).rejects.toMatchObject({
      name: 'BadDigest',
    });
    await expect(put('abc')).rejects.toMatchObject({ name: 'InvalidDigest' });
  });

  it('are read in ranges', async () => {
    const Key = newKey();
    await client.send(new PutObjectCommand({ Bucket, Key, Body: '0123456789' }));
    const range = async (Range: string) => {
      const got = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
      return [await got.Body?.transformToString(), got.ContentRange];
    };
    expect(await range('bytes=2-4')).toEqual(['234', 'bytes 2-4/10']);
    expect(await range('bytes=7-')).toEqual(['789', 'bytes 7-9/10']);
    expect(await range('bytes=-3')).toEqual(['789', 'bytes 7-9/10']);
    expect(await range('bytes=8-99')).toEqual(['89', 'bytes 8-9/10']);
    await expect(range('bytes=10-12')).rejects.toMatchObject({ name: 'InvalidRange' });
  });

  it('are written and read on conditions', async () => {
    const Key = newKey();
    const put = (change: object) => client.send(new PutObjectCommand({ Bucket, Key, Body: 'x', ...change }));
    const failed = { name: 'PreconditionFailed' };
    await expect(put({ IfMatch: '"x"' })).rejects.toMatchObject({ name: 'NoSuchKey' });
    const { ETag } = await put({ IfNoneMatch: '*' });
    await expect(put({ IfNoneMatch: '*' })).rejects.toMatchObject(failed);
    await expect(put({ IfMatch: '"x"' })).rejects.toMatchObject(failed);
    await put({ IfMatch: ETag });
    const get = (change: object) => client.send(new GetObjectCommand({ Bucket, Key, ...change }));
    await expect(get({ IfMatch: '"x"' })).rejects.toMatchObject(failed);
    await expect(get({ IfNoneMatch: ETag })).rejects.toMatchObject({ $metadata: { httpStatusCode: 304 } });
  });

  it('are listed in the order of bytes, page by page, in groups', async () => {
    const made = 'listing';
    await client.send(new CreateBucketCommand({ Bucket: made }));
    const keys = ['a/1', 'a/2', 'b', 'c/é', 'c/😀', 'c/\uffee'];
    for (const Key of keys)
      await client.send(new PutObjectCommand({ Bucket: made, Key, Body: Buffer.alloc(0) }));
    const seen: (string | undefined)[] = [];
    let ContinuationToken: string | undefined;
    do {
      const page = await client.send(
        new ListObjectsV2Command({ Bucket: made, MaxKeys: 2, EncodingType: 'url', ContinuationToken }),
      );
      seen.push(...(page.Contents ?? []).map((entry) => decodeURIComponent(entry.Key ?? '')));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
    expect(seen).toEqual(['a/1', 'a/2', 'b', 'c/é', 'c/\uffee', 'c/😀']);
    const groups = await client.send(new ListObjectsV2Command({ Bucket: made, Delimiter: '/' }));
    expect(groups.CommonPrefixes).toEqual([{ Prefix: 'a/' }, { Prefix: 'c/' }]);
    expect(groups.Contents?.map((entry) => entry.Key)).toEqual(['b']);
    expect((await client.send(new ListBucketsCommand({}))).Buckets?.map((entry) => entry.Name)).toContain(
      made,
    );
  });

  it('need a bucket', async () => {
    const missing = { $metadata: { httpStatusCode: 404 } };
    await expect(client.send(new HeadBucketCommand({ Bucket: 'nope' }))).rejects.toMatchObject(missing);
    await expect(
      client.send(new PutObjectCommand({ Bucket: 'nope', Key: 'x', Body: Buffer.alloc(0) })),
    ).rejects.toMatchObject({ name: 'NoSuchBucket' });
  });
});

describe('multipart uploads', () => {
  it('show nothing until they are complete, then all', async () => {
    const Key = newKey();
    const id = await upload(Key, { Metadata: { who: 'me' } });
    const parts = [await part(Key, id, 1, 5 * MIB), await part(Key, id, 7, 10)];
    expect(server.objects(Bucket)).not.toContain(Key);
    expect(server.uploads(Bucket)).toEqual([{ key: Key, id, parts: [1, 7] }]);
    const { ETag } = await complete(Key, id, parts);
    const digest = createHash('md5');
    for (const { ETag: tag } of parts) digest.update(Buffer.from(String(tag).replaceAll('"', ''), 'hex'));
    expect(ETag).toBe(`"${digest.digest('hex')}-2"`);
    expect(await server.content(Bucket, Key)).toEqual(Buffer.concat([body(5 * MIB), body(10)]));
    expect(server.uploads(Bucket)).toEqual([]);
    await expect(complete(Key, id, parts)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('keep the rules of parts', async () => {
    const Key = newKey();
    const id = await upload(Key);
    const [small, last] = [await part(Key, id, 1, 5 * MIB - 1), await part(Key, id, 2, 1)];
    const refuses = (parts: object[], name: string) =>
      expect(complete(Key, id, parts)).rejects.toMatchObject({ name });
    await refuses([small, last], 'EntityTooSmall');
    await refuses([last, small], 'InvalidPartOrder');
    await refuses([small, { ...last, ETag: small.ETag }], 'InvalidPart');
    await refuses([small, { ...last, PartNumber: 3 }], 'InvalidPart');
    await refuses([], 'MalformedXML');
    await expect(part(Key, id, 10_001, 1)).rejects.toMatchObject({ name: 'InvalidArgument' });
    await expect(part(Key, 'nope', 1, 1)).rejects.toMatchObject({ name: 'NoSuchUpload' });
    const again = await part(Key, id, 1, 5 * MIB);
    const listed = await client.send(new ListPartsCommand({ Bucket, Key, UploadId: id, MaxParts: 1 }));
    expect(listed).toMatchObject({
      IsTruncated: true,
      Parts: [{ PartNumber: 1, ETag: again.ETag, Size: 5 * MIB }],
    });
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: id }));
    await expect(part(Key, id, 1, 1)).rejects.toMatchObject({ name: 'NoSuchUpload' });
  });

  it('are completed on conditions', async () => {
    const Key = newKey();
    const [first, second] = [await upload(Key), await upload(Key)];
    const parts = [await part(Key, first, 1, 1), await part(Key, second, 1, 2)] as const;
    await complete(Key, first, [parts[0]], { IfNoneMatch: '*' });
    await expect(complete(Key, second, [parts[1]], { IfNoneMatch: '*' })).rejects.toMatchObject({
      name: 'PreconditionFailed',
    });
    expect(server.uploads(Bucket).map(({ id }) => id)).toEqual([second]);
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId: second }));
  });

  it('carry checksums of the parts into the whole', async () => {
    const Key = newKey();
    const id = await upload(Key, { ChecksumAlgorithm: 'CRC32' });
    const { ETag, ChecksumCRC32 } = await client.send(
      new UploadPartCommand({
        Bucket,
        Key,
        UploadId: id,
        PartNumber: 1,
        Body: body(10),
        ChecksumAlgorithm: 'CRC32',
      }),
    );
    await expect(complete(Key, id, [{ PartNumber: 1, ETag }])).rejects.toMatchObject({ name: 'InvalidPart' });
    const done = await complete(Key, id, [{ PartNumber: 1, ETag, ChecksumCRC32 }]);
    const whole = checksum('crc32');
    whole.update(Buffer.from(ChecksumCRC32 ?? '', 'base64'));
    expect(done.ChecksumCRC32).toBe(`${whole.digest()}-1`);
  });

  it('are listed by prefix, page by page', async () => {
    const ids = [await upload('up/b'), await upload('up/a'), await upload('up/a')];
    const first = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix: 'up/', MaxUploads: 2 }),
    );
    const second = await client.send(
      new ListMultipartUploadsCommand({
        Bucket,
        Prefix: 'up/',
        KeyMarker: first.NextKeyMarker,
        UploadIdMarker: first.NextUploadIdMarker,
      }),
    );
    const seen = [...(first.Uploads ?? []), ...(second.Uploads ?? [])];
    expect(seen.map(({ Key }) => Key)).toEqual(['up/a', 'up/a', 'up/b']);
    expect(seen.map(({ UploadId }) => UploadId).sort()).toEqual([...ids].sort());
    for (const { Key, UploadId } of seen) {
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
    }
  });
});

describe('faults', () => {
  const put = (Key: string) => client.send(new PutObjectCommand({ Bucket, Key, Body: body(100_000) }));

  it('answer any code, the nth time', async () => {
    server.faults.add({
      match: { operation: 'PutObject', nth: 2 },
      action: { status: 503, code: 'SlowDown' },
    });
    const Key = newKey();
    await put(Key);
    await expect(put(Key)).rejects.toMatchObject({ name: 'SlowDown', $metadata: { httpStatusCode: 503 } });
    await put(Key);
  });

  it('reset, before and within', async () => {
    for (const action of [{ reset: true }, { reset: true, afterBytes: 1000 }] as const) {
      server.faults.add({ match: { operation: 'PutObject' }, action });
      const Key = newKey();
      await expect(put(Key)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
      expect(server.objects(Bucket)).not.toContain(Key);
    }
  });

  it('do it and lose the answer', async () => {
    server.faults.add({ match: { operation: 'PutObject' }, action: { dropReplyAfterCommit: true } });
    const Key = newKey();
    await expect(put(Key)).rejects.toMatchObject({ code: expect.stringMatching(/ECONNRESET|EPIPE/) });
    expect(server.objects(Bucket)).toContain(Key);
  });

  it('truncate, lie, hang and skew', async () => {
    const Key = newKey();
    await put(Key);
    server.faults.add({ match: { operation: 'GetObject' }, action: { truncate: true } });
    await expect(text(Key)).rejects.toThrow();
    server.faults.add({ match: { operation: 'HeadObject' }, action: { wrongETag: true } });
    const { ETag } = await client.send(new HeadObjectCommand({ Bucket, Key }));
    expect(ETag).toMatch(/^"0+"$/);
    server.faults.add({ match: { operation: 'HeadObject' }, action: { skewMs: 3_600_000 } });
    await expect(client.send(new HeadObjectCommand({ Bucket, Key }))).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    });
    const fresh = connect();
    server.faults.add({ match: { operation: 'HeadObject' }, action: { hang: true } });
    const hanging = fresh.send(new HeadObjectCommand({ Bucket, Key }), {
      abortSignal: AbortSignal.timeout(50),
    });
    await expect(hanging).rejects.toMatchObject({ name: 'AbortError' });
  });
});
