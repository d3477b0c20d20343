import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { FileTarget, Slot } from '../../src/export/destinations/destination.ts';
import type { Connection } from '../../src/export/destinations/s3/connection.ts';
import { defaultLimits } from '../../src/export/destinations/s3/limits.ts';
import { openBucket } from '../../src/export/destinations/s3/target.ts';
import { createHostGuard } from '../../src/work/hosts.ts';
import type { Operation } from '../kit/s3/call.ts';
import type { FaultAction } from '../kit/s3/faults.ts';
import type { Manners } from '../kit/s3/manners.ts';
import { type S3Server, startS3 } from '../kit/s3/server.ts';
import { bytesOf, streamOf } from './bytes.ts';
import { connectionTo } from './connection.ts';
import { type TestPorts, testPorts } from './ports.ts';

const MIB = 1 << 20;
/** Two parts: one of 16 MiB and the rest. */
const LENGTH = 17 * MIB;
/** One part, for requests that come once for a file of any size. */
const SHORT = 100_000;
/** Gives up what hangs after a second, which a busy machine may well need for a part: retries may be more. */
const impatient = { ...defaultLimits, idleMs: 1000, graceMs: 1000, minRate: 64 * MIB };

let server: S3Server;
let target: FileTarget;
let ports: TestPorts;
let number = 0;
const targets: FileTarget[] = [];

async function open(change: Partial<Connection> = {}, limits = defaultLimits): Promise<FileTarget> {
  const connection: Connection = { ...connectionTo(server, 'exports'), ...change };
  const opened = await openBucket(connection, ports, limits);
  targets.push(opened);
  return opened;
}

beforeAll(async () => {
  server = await startS3({ buckets: ['exports'] });
});
beforeEach(async () => {
  ports = testPorts('');
  target = await open();
  number += 1;
});
afterEach(async () => {
  server.faults.clear();
  for (const opened of targets.splice(0)) await opened.close();
});
afterAll(() => server.stop());

const slot = (): Slot => ({
  runId: `run-${number}`,
  attempt: 1,
  key: `f/${number}.parquet`,
  contentType: 'x/y',
});
const live = () => new AbortController().signal;

/** The whole way of one file; its bytes must come back whatever happened between. */
async function deliver(length = LENGTH): Promise<void> {
  const staged = await target.stage(slot(), streamOf(1, length), live());
  const published = await target.publish(staged, live());
  const file = await target.open(published);
  const body = Buffer.concat(await (await file.stream()).toArray());
  expect(body.equals(bytesOf(1, length))).toBe(true);
}

const passing: [string, FaultAction][] = [
  ['503 SlowDown', { status: 503, code: 'SlowDown' }],
  ['500 InternalError', { status: 500, code: 'InternalError' }],
  ['429 TooManyRequests', { status: 429, code: 'TooManyRequests' }],
  ['400 RequestTimeout', { status: 400, code: 'RequestTimeout' }],
  ['a reset', { reset: true }],
  ['a lost answer', { dropReplyAfterCommit: true }],
];
const operations: Operation[] = [
  'CreateMultipartUpload',
  'UploadPart',
  'CompleteMultipartUpload',
  'HeadObject',
  'GetObject',
];

describe('one failure is repeated and costs nothing', () => {
  const lengthFor = (operation: Operation) =>
    operation === 'UploadPart' || operation === 'GetObject' ? LENGTH : SHORT;

  for (const operation of operations) {
    // An answer to HEAD has no body, so a 400 there says nothing and is final.
    const possible = passing.filter(([name]) => operation !== 'HeadObject' || !name.startsWith('400'));
    it.each(possible)(`${operation}: %s`, async (_name, action) => {
      const fault = server.faults.add({ match: { operation }, action });
      await deliver(lengthFor(operation));
      expect(fault.struck).toBe(1);
      expect(ports.retries).toHaveLength(1);
    });
  }

  it.each(operations)('%s: a hanging request', async (operation) => {
    target = await open({}, impatient);
    const fault = server.faults.add({ match: { operation }, action: { hang: true } });
    await deliver(lengthFor(operation));
    expect(fault.struck).toBe(1);
    expect(ports.retries.length).toBeGreaterThanOrEqual(1);
  });

  it('UploadPart: a connection that breaks within a part', async () => {
    server.faults.add({
      match: { operation: 'UploadPart', part: 1 },
      action: { reset: true, afterBytes: 3 * MIB },
    });
    await deliver();
    expect(ports.retries).toHaveLength(1);
  });

  it('UploadPart: a part that moves too slowly', async () => {
    target = await open({}, impatient);
    server.faults.add({ match: { operation: 'UploadPart', part: 1 }, action: { slow: 2 * MIB } });
    await deliver();
    const slow = expect.stringMatching(/part 1 .*RequestStalled/);
    expect(ports.retries.map(({ what }) => what)).toContainEqual(slow);
  });

  it('UploadPart: an ETag that is not the MD5 of what was sent', async () => {
    server.faults.add({ match: { operation: 'UploadPart', part: 1 }, action: { wrongETag: true } });
    await deliver();
    expect(ports.retries).toHaveLength(1);
  });

  it('GetObject: an answer that stops half-way', async () => {
    server.faults.add({ match: { operation: 'GetObject', nth: 2 }, action: { truncate: true } });
    await deliver();
    expect(ports.retries).toHaveLength(1);
  });

  it('a clock that is an hour off is corrected once', async () => {
    server.faults.add({ match: { times: Number.POSITIVE_INFINITY }, action: { skewMs: 3_600_000 } });
    await deliver();
    expect(ports.retries.map(({ what }) => what)).toEqual([expect.stringContaining('RequestTimeTooSkewed')]);
  });

  it.each([
    ['NoSuchUpload', 404, 'HeadObject'],
    ['AccessDenied', 403, null],
  ] as const)('an upload about which the store says %s is written again', async (code, status, denied) => {
    const staged = await target.stage(slot(), streamOf(1, SHORT), live());
    server.faults.add({ match: { operation: 'ListParts' }, action: { status, code } });
    // As to a key without s3:ListBucket, of an object that is not there.
    if (denied)
      server.faults.add({ match: { operation: denied }, action: { status: 403, code: 'Forbidden' } });
    expect(await target.isStaged(staged)).toBe(false);
    await target.discard(staged);
  });

  it('tells of each part that the store has taken', async () => {
    let answers = 0;
    ports = testPorts('', { onAnswer: () => answers++ });
    await (await open()).stage(slot(), streamOf(1, LENGTH), live());
    expect(answers).toBe(2);
  });

  it('an upload that somebody took away is no reason to give the run up', async () => {
    server.faults.add({
      match: { operation: 'UploadPart', part: 2 },
      action: { status: 404, code: 'NoSuchUpload' },
    });
    await expect(target.stage(slot(), streamOf(1, LENGTH), live())).rejects.toMatchObject({
      code: 'destination_changed',
      kind: 'retry',
      message: expect.stringContaining('will be written again'),
    });
    expect(ports.retries).toEqual([]);
  });

  it('uploads of files that no ledger knows are swept by the name of the run', async () => {
    const { runId, key } = slot();
    const numbered = key.replace('.parquet', '-3.parquet');
    await target.stage({ ...slot(), key: numbered }, streamOf(1, SHORT), live());
    const open = () => server.uploads('exports').filter((upload) => upload.key === numbered);
    await target.sweep(runId, Number.POSITIVE_INFINITY, [key], []);
    expect(open()).toHaveLength(1);
    const sweep = () =>
      target.sweep(runId, Number.POSITIVE_INFINITY, [key], [], (other) => other === numbered);
    server.faults.add({
      match: { operation: 'ListMultipartUploads' },
      action: { status: 403, code: 'AccessDenied' },
    });
    await sweep(); // a right that a key may lack: no run fails for want of it
    expect(open()).toHaveLength(1);
    await sweep();
    expect(open()).toEqual([]);
  });

  it.each([
    ['ERRLakeFSNotSupported', 405],
    ['MethodNotAllowed', 405],
    ['InvalidRequest', 400],
    ['Forbidden', 403],
    ['NotSupportedHere', 501],
  ])('a store that answers %s (%i) to listings only cannot be tidied up', async (code, status) => {
    const { runId, key } = slot();
    for (const operation of ['ListMultipartUploads', 'ListParts'] as const) {
      server.faults.add({ match: { operation }, action: { status, code } });
    }
    const staged = await target.stage(slot(), streamOf(1, SHORT), live());
    await target.sweep(runId, Number.POSITIVE_INFINITY, [key], []);
    expect(await target.isStaged(staged)).toBe(false);
    expect(ports.retries).toEqual([]);
    await target.discard(staged);
  });

  it('leaves no upload behind, but the one whose beginning was never told', async () => {
    server.faults.add({
      match: { operation: 'CreateMultipartUpload' },
      action: { dropReplyAfterCommit: true },
    });
    await deliver(SHORT);
    const { runId, key } = slot();
    expect(server.uploads('exports').filter((upload) => upload.key === key)).toHaveLength(1);
    await target.sweep(runId, Number.POSITIVE_INFINITY, [key], []);
    expect(server.uploads('exports').filter((upload) => upload.key === key)).toEqual([]);
  });
});

describe('what no repetition mends', () => {
  const cases: [code: string, status: number, meaning: string][] = [
    ['AccessDenied', 403, 'destination_denied'],
    ['InvalidAccessKeyId', 403, 'destination_denied'],
    ['SignatureDoesNotMatch', 403, 'destination_denied'],
    ['ExpiredToken', 400, 'destination_denied'],
    ['SomethingNewAndForbidden', 403, 'destination_denied'],
    ['NoSuchBucket', 404, 'destination_missing'],
    ['PermanentRedirect', 301, 'destination_config'],
    ['AuthorizationHeaderMalformed', 400, 'destination_config'],
    ['InvalidBucketName', 400, 'destination_config'],
    ['NotImplemented', 501, 'destination_config'],
    ['SomethingNewAndWrong', 400, 'destination_config'],
    ['QuotaExceeded', 403, 'destination_full'],
    ['XMinioStorageFull', 507, 'destination_full'],
  ];

  it.each(cases)('%s (%i) is %s at once', async (code, status, meaning) => {
    for (const operation of ['CreateMultipartUpload', 'UploadPart'] as const) {
      server.faults.add({ match: { operation, key: slot().key }, action: { status, code } });
      const failure = target.stage(slot(), streamOf(1, LENGTH), live());
      await expect(failure).rejects.toMatchObject({
        name: 'SluiceError',
        code: meaning,
        message: expect.stringMatching(new RegExp(`${slot().key}.*bucket exports.*${code}`)),
      });
    }
    expect(ports.retries).toEqual([]);
    expect(server.uploads('exports').filter(({ key }) => key === slot().key)).toEqual([]);
  });

  it('a real refusal says what a person needs, and no secret', async () => {
    const secretAccessKey = 'not-the-real-secret';
    const denied = await open({ credentials: { ...server.credentials, secretAccessKey } });
    const failure = await denied.put('x', Buffer.from('x'), 'x/y').catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: 'destination_denied', kind: 'user' });
    const shown =
      JSON.stringify(failure, Object.getOwnPropertyNames(failure)) + String((failure as Error).cause);
    expect(shown).toContain('SignatureDoesNotMatch');
    expect(shown).not.toContain(secretAccessKey);
    expect(shown).not.toContain(server.credentials.accessKeyId);
  });

  it('a missing bucket and a wrong region', async () => {
    const put = (to: FileTarget) => to.put('x', Buffer.from('x'), 'x/y');
    await expect(put(await open({ bucket: 'nowhere' }))).rejects.toMatchObject({
      code: 'destination_missing',
    });
    await expect(put(await open({ region: 'eu-west-9' }))).rejects.toMatchObject({
      code: 'destination_config',
    });
  });

  it('a store that stays away is given up after six tries, with waits that grow', async () => {
    server.faults.add({
      match: { operation: 'PutObject', times: Number.POSITIVE_INFINITY },
      action: { status: 503, code: 'SlowDown' },
    });
    ports = testPorts('', { random: () => 0.999_999 });
    await expect((await open()).put('x', Buffer.from('x'), 'x/y')).rejects.toMatchObject({
      code: 'destination_unavailable',
      kind: 'retry',
      message: expect.stringContaining('failed 6 times, last with SlowDown (HTTP 503)'),
    });
    expect(ports.retries.map(({ waitMs }) => waitMs)).toEqual([400, 800, 1600, 3200, 6400]);
  });

  it('a server that is not there', async () => {
    const gone = await open({ endpoint: 'http://127.0.0.1:9' });
    await expect(gone.put('x', Buffer.from('x'), 'x/y')).rejects.toMatchObject({
      code: 'destination_unavailable',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  it('parts that went missing before publishing are reported as such', async () => {
    const staged = await target.stage(slot(), streamOf(1, 10), live());
    const wrong = { ...staged, token: { ...staged.token, parts: [[1, 'f'.repeat(32), null]] } };
    expect(await target.isStaged(wrong)).toBe(false);
    await expect(target.publish(wrong, live())).rejects.toMatchObject({ code: 'destination_changed' });
    await target.discard(staged);
  });

  it('parts that are there and that the store will not put together are no reason to try again', async () => {
    const staged = await target.stage(slot(), streamOf(1, 10), live());
    server.faults.add({
      match: { operation: 'CompleteMultipartUpload' },
      action: { status: 400, code: 'InvalidPart' },
    });
    await expect(target.publish(staged, live())).rejects.toMatchObject({
      code: 'destination_config',
      message: expect.stringMatching(/refused with InvalidPart.*: Injected InvalidPart/),
    });
    await target.discard(staged);
  });

  it('an object that is gone before it is looked at is nothing that a person must mend', async () => {
    const published = await target.publish(await target.stage(slot(), streamOf(1, 1000), live()), live());
    const file = await target.open(published);
    await target.remove(slot().key);
    const gone = { code: 'destination_unavailable', message: expect.stringContaining(slot().key) };
    await expect(target.open(published)).rejects.toMatchObject(gone);
    await expect(file.read(0, 10)).rejects.toMatchObject(gone);
  });

  it('an object that is not there yet is waited for', async () => {
    const published = await target.publish(await target.stage(slot(), streamOf(1, 1000), live()), live());
    server.faults.add({
      match: { operation: 'HeadObject', times: 3 },
      action: { status: 404, code: 'NoSuchKey' },
    });
    expect((await target.open(published)).bytes).toBe(1000);
    expect(ports.retries).toHaveLength(3);
  });

  it('an object is confirmed by an ETag that is made of its parts, and by no other', async () => {
    const staged = await target.stage(slot(), streamOf(1, LENGTH), live());
    expect(await target.publish(staged, live())).toMatchObject({ confirmed: true });
    server.faults.add({ match: { operation: 'CompleteMultipartUpload' }, action: { wrongETag: true } });
    const again = await target.publish(await target.stage(slot(), streamOf(1, SHORT), live()), live());
    expect(again.confirmed).toBeUndefined();
    await expect(target.open(again)).rejects.toMatchObject({ code: 'verification_failed' });
  });

  it('an object that is replaced while it is read', async () => {
    const { key } = slot();
    const published = await target.publish(await target.stage(slot(), streamOf(1, 1000), live()), live());
    const file = await target.open(published);
    await target.put(key, Buffer.alloc(1000), 'x/y');
    await expect(file.read(0, 10)).rejects.toMatchObject({ code: 'verification_failed' });
  });
});

it('a small object that may not be read is not one that is absent', async () => {
  const { key } = slot();
  expect(await target.get(key)).toBeNull();
  await target.put(key, Buffer.from('{}'), 'x/y');
  server.faults.add({ match: { operation: 'GetObject' }, action: { status: 403, code: 'AccessDenied' } });
  expect(await target.get(key)).toBe('forbidden');
  expect(await target.get(key)).toEqual(Buffer.from('{}'));
});

describe('stopping', () => {
  it('ends a wait between tries', async () => {
    const stop = new AbortController();
    const reason = new Error('cancelled');
    server.faults.add({ match: { operation: 'UploadPart' }, action: { status: 503, code: 'SlowDown' } });
    ports = testPorts('', { onRetry: () => stop.abort(reason) });
    await expect((await open()).stage(slot(), streamOf(1, 10), stop.signal)).rejects.toBe(reason);
    expect(server.uploads('exports').filter(({ key }) => key === slot().key)).toEqual([]);
  });

  it('does not begin when it was stopped before', async () => {
    const before = server.journal.length;
    const reason = new Error('cancelled');
    await expect(target.stage(slot(), streamOf(1, 10), AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(server.journal.length).toBe(before);
  });
});

describe('a store whose listings of uploads', () => {
  const sweepAt = async (manners: Manners, change: (stop: AbortController) => void = () => {}) => {
    const other = await startS3({ buckets: ['exports'], manners });
    const store = await openBucket(connectionTo(other, 'exports'), ports);
    try {
      const keys = [slot().key, slot().key.replace('.parquet', '-1.parquet')];
      for (const key of [...keys, 'f/of-another-run.parquet'])
        await store.stage({ ...slot(), key }, streamOf(1, 10), live());
      const stop = new AbortController();
      change(stop);
      await store.sweep(slot().runId, Number.POSITIVE_INFINITY, keys, [], undefined, stop.signal);
      return other.uploads('exports').map(({ key }) => key);
    } finally {
      await store.close();
      await other.stop();
    }
  };

  it.each(['none', 'stuck'] as const)(
    'do not say where they go on (%s) is not asked for ever',
    async (uploadMarkers) => {
      expect(await sweepAt({ uploadMarkers })).toEqual(['f/of-another-run.parquet']);
    },
  );

  it('take a prefix for a whole key is asked for each key', async () => {
    expect(await sweepAt({ listsUploadsByKey: true })).toEqual(['f/of-another-run.parquet']);
  });

  it.each([
    ['once, after a first attempt whose uploads are all over', 1, [], 1],
    ['for each key, after a later attempt', 2, [], 4],
    ['for each key, when the answer to a beginning was lost', 1, [{ dropReplyAfterCommit: true }], 4],
    ['for each key, when an upload failed', 1, [{ status: 403, code: 'AccessDenied' }], 4],
  ] as [string, number, FaultAction[], number][])('is asked %s', async (_, attempt, actions, listings) => {
    const other = await startS3({ buckets: ['exports'], manners: { listsUploadsByKey: true } });
    const store = await openBucket(connectionTo(other, 'exports'), ports);
    try {
      for (const action of actions) {
        other.faults.add({ match: { operation: 'CreateMultipartUpload' }, action });
        await store.stage({ ...slot(), key: 'f/first' }, streamOf(1, 10), live()).catch(() => {});
      }
      const keys = ['f/1', 'f/2', 'f/3'];
      for (const key of keys) {
        const staged = await store.stage({ ...slot(), attempt, key }, streamOf(1, 10), live());
        if (key === 'f/1') await store.discard(staged);
        else await store.publish(staged, live());
      }
      const before = other.journal.length;
      await store.sweep(slot().runId, Number.POSITIVE_INFINITY, keys, []);
      expect(other.journal.length - before).toBe(listings);
    } finally {
      await store.close();
      await other.stop();
    }
  });

  it('are waited for is left when the run stops', async () => {
    const reason = new Error('stopped');
    await expect(sweepAt({}, (stop) => stop.abort(reason))).rejects.toBe(reason);
  });
});

describe('a store that does not come to an end', () => {
  const attempts: [Operation, number, (to: FileTarget) => Promise<unknown>][] = [
    ['PutObject', 500, (to) => to.put('x', Buffer.from('x'), 'x/y')],
    ['GetObject', 500, (to) => to.get('x')],
    ['CreateMultipartUpload', 200, (to) => to.stage(slot(), streamOf(1, 10), live())],
  ];
  it.each(attempts)('%s: is hung up on after 8 MiB (status %i)', async (operation, endless, ask) => {
    const fault = server.faults.add({ match: { operation, times: 2 }, action: { endless } });
    const failure = ask(await open({}, { ...defaultLimits, graceMs: 10_000, attempts: 2 }));
    await expect(failure).rejects.toMatchObject({
      code: 'destination_unavailable',
      message: expect.stringContaining('failed 2 times, last with AnswerTooLarge'),
    });
    expect(fault.struck).toBe(2);
  });

  const withEndlessListings = async (use: (store: FileTarget, other: S3Server) => Promise<void>) => {
    const other = await startS3({ buckets: ['exports'], manners: { endlessListings: true } });
    const store = await openBucket(connectionTo(other, 'exports'), ports, { ...defaultLimits, pages: 20 });
    try {
      await use(store, other);
    } finally {
      await store.close();
      await other.stop();
    }
  };

  it('is asked for so many pages of uploads or parts, and no more', () =>
    withEndlessListings(async (store, other) => {
      const staged = await store.stage(slot(), streamOf(1, 10), live());
      const endless = {
        code: 'destination_config',
        message: expect.stringContaining('came to no end after 20 pages'),
      };
      await expect(store.isStaged(staged)).rejects.toMatchObject(endless);
      await expect(store.sweep('run', 2, [slot().key], [])).rejects.toMatchObject(endless);
      expect(other.uploads('exports')).toEqual([]);
      expect(other.journal.filter(({ operation }) => operation.startsWith('List'))).toHaveLength(40);
    }));

  it('is left when the run stops', () =>
    withEndlessListings(async (store, other) => {
      const staged = await store.stage(slot(), streamOf(1, 10), live());
      const reason = new Error('stopped');
      const stop = new AbortController();
      const asked = store.isStaged(staged, stop.signal);
      stop.abort(reason);
      await expect(asked).rejects.toBe(reason);
      expect(other.journal.length).toBeLessThan(10);
    }));
});

it('a name that leads elsewhere when the connection is made is not followed', async () => {
  const endpoint = server.url.replace('127.0.0.1', 'bucket.example');
  const here = async () => [{ address: '127.0.0.1', family: 4 }];
  const before = server.journal.length;
  ports = testPorts('', { lookup: createHostGuard([], here).lookup });
  await expect((await open({ endpoint })).put('x', Buffer.from('x'), 'x/y')).rejects.toMatchObject({
    code: 'destination_config',
    message: expect.stringContaining('EHOSTFORBIDDEN'),
  });
  expect(server.journal.length).toBe(before);
  ports = testPorts('', { lookup: createHostGuard(['127.0.0.0/8'], here).lookup });
  await (await open({ endpoint })).put('x', Buffer.from('x'), 'x/y');
  expect(server.journal.length).toBe(before + 1);
});

it('asks whether the endpoint, and with virtual-style the bucket below it, may be reached', async () => {
  const asked: string[] = [];
  ports = testPorts('', { checkHost: async (host) => void asked.push(host) });
  await open({ endpoint: 'https://s3.example:9000', virtualStyle: true });
  expect(asked).toEqual(['s3.example', 'exports.s3.example']);
});
