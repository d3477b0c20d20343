import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { backfill, capture, createExport, uuids, yesterday } from '../flows/main-job.ts';
import type { FaultAction, FaultMatch } from '../kit/s3/faults.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { type BucketPlace, openBucketPlace } from './destinations.ts';

/**
 * A whole server exports to a store that has a bad day. What passes is tried again, visibly, and then right;
 * what a person must fix fails at once and says so. `SLUICE_FAULTS=long` adds what takes a minute each.
 */
const LONG = process.env.SLUICE_FAULTS === 'long';
const EVENTS = 3_000;
const { start, end } = yesterday();
const [day = '', nextDay = ''] = [start, end].map((at) => at.toISOString().slice(0, 10));

let sluice: RunningSluice;
let place: BucketPlace;
let sent: string[];
let number = 0;

beforeAll(async () => {
  sluice = await startSluice({ env: { SLUICE_READ_BACK: '1', SLUICE_RETRY_SECONDS: '1' } });
  place = await openBucketPlace(sluice);
  sent = await capture(sluice, EVENTS, start, end);
});
afterEach(() => place.server.faults.clear());
afterAll(async () => {
  expect(await sluice.stop()).toBe(0);
  await place.close();
});

interface Bad {
  readonly match: FaultMatch;
  readonly action: FaultAction;
  /** What the log says of it; null = the store is slow, not wrong. */
  readonly says: RegExp | null;
}

const upload = { operation: 'UploadPart' } as const;
const complete = { operation: 'CompleteMultipartUpload' } as const;
const reread = { operation: 'GetObject' } as const;
const twice = { times: 2 } as const;

const PASSING: Readonly<Record<string, Bad>> = {
  '500': {
    match: { ...upload, ...twice },
    action: { status: 500, code: 'InternalError' },
    says: /InternalError/,
  },
  '503 SlowDown at the start': {
    match: { operation: 'CreateMultipartUpload', times: 3 },
    action: { status: 503, code: 'SlowDown' },
    says: /SlowDown/,
  },
  '503 at the end': {
    match: complete,
    action: { status: 503, code: 'ServiceUnavailable' },
    says: /ServiceUnavailable/,
  },
  'a reset at once': { match: upload, action: { reset: true }, says: /ECONNRESET|EPIPE|socket/i },
  'a reset half-way': {
    match: upload,
    action: { reset: true, afterBytes: 20_000 },
    says: /ECONNRESET|EPIPE|socket/i,
  },
  'an answer cut short': {
    match: complete,
    action: { truncate: true },
    says: /^Publishing /m,
  },
  'a re-read cut short': { match: reread, action: { truncate: true }, says: null },
  'a re-read reset': { match: reread, action: { reset: true }, says: null },
  'slow bytes': { match: upload, action: { slow: 100_000 }, says: null },
  'a wrong ETag': { match: upload, action: { wrongETag: true }, says: /ETag/i },
  'a clock that is off for a moment': {
    match: upload,
    action: { skewMs: 3_600_000 },
    says: /RequestTimeTooSkewed/,
  },
  'a clock an hour ahead of ours': {
    match: { times: Number.POSITIVE_INFINITY },
    action: { skewMs: 3_600_000 },
    says: /RequestTimeTooSkewed/,
  },
  'a completion whose reply is lost': {
    match: complete,
    action: { dropReplyAfterCommit: true },
    says: /ECONNRESET|socket/i,
  },
  'a completion cut short and then unavailable': {
    match: { ...complete, ...twice },
    action: { status: 500, code: 'InternalError' },
    says: /InternalError/,
  },
};

/** Idle for 60 s is what a request may be (limits.ts). */
const LONG_PASSING: Readonly<Record<string, Bad>> = {
  'no answer, ever': { match: upload, action: { hang: true }, says: /Timeout|Stalled/ },
  'no answer to the completion': { match: complete, action: { hang: true }, says: /Timeout|Stalled/ },
  '1 byte a second': { match: upload, action: { slow: 1 }, says: /Stalled|Timeout/ },
};

async function begin(config: Readonly<Record<string, unknown>>) {
  const prefix = `bad/${number++}`;
  const id = await createExport(sluice, place.destination(prefix, config));
  const base = `/api/projects/${sluice.ready.project_id}/batch_exports/${id}`;
  return { prefix, id, base };
}

async function logOf(base: string): Promise<string> {
  const { body } = await sluice.api<{ results: { level: string; message: string }[] }>(
    'GET',
    `${base}/logs/?limit=500`,
  );
  return body.results
    .filter(({ level }) => level === 'WARNING' || level === 'ERROR')
    .map(({ message }) => message)
    .join('\n');
}

async function expectRight(prefix: string): Promise<void> {
  expect(await uuids(await place.read(prefix))).toEqual(sent.toSorted());
  expect(place.leftovers(prefix)).toEqual([]);
  expect(sluice.logs()).not.toContain(place.server.credentials.secretAccessKey);
}

const bad = Object.entries({ ...PASSING, ...(LONG ? LONG_PASSING : {}) });

/** The bytes of a file mean nothing to a store: in the short version each fault meets one format. */
describe.each([
  ['Parquet', 'zstd', 0],
  ['JSONLines', 'gzip', 1],
])('%s', (format, compression, turn) => {
  it.each(bad.filter((_, index) => LONG || index % 2 === turn))(
    '%s: tried again, told, and then right',
    { timeout: 400_000 },
    async (_, { match, action, says }) => {
      const { prefix, id, base } = await begin({ file_format: format, compression });
      const key = new RegExp(`^${prefix}/`);
      const fault = place.server.faults.add({ match: match.operation ? { ...match, key } : match, action });
      const [run, ...others] = await backfill(sluice, id, day, nextDay);
      if (match.times === Number.POSITIVE_INFINITY) expect(fault.struck).toBeGreaterThan(1);
      else expect(fault.struck).toBe(match.times ?? 1);
      expect(others).toEqual([]);
      expect(run).toMatchObject({ status: 'Completed', records_completed: EVENTS, latest_error: null });
      if (says) {
        // Lines of the log are written in bundles, some after the run has ended.
        await expect.poll(() => logOf(base), { timeout: 10_000 }).toMatch(says);
        expect(await logOf(base)).toMatch(/attempt \d+ in \d/i);
      }
      await expectRight(prefix);
    },
  );
});

it('a store that stays away: the run tells the attempt, the reason and when it goes on; then it is right', async () => {
  const { prefix, id, base } = await begin({ file_format: 'Parquet' });
  place.server.faults.add({
    match: { key: new RegExp(`^${prefix}/`), times: Number.POSITIVE_INFINITY },
    action: { status: 503, code: 'SlowDown' },
  });
  const done = backfill(sluice, id, day, nextDay);
  type Waiting = {
    attempt: number;
    status: string;
    latest_error: string | null;
    next_attempt_at: string | null;
  };
  const waiting = async () => {
    const { body } = await sluice.api<{ results: Waiting[] }>('GET', `${base}/runs/`);
    return body.results[0];
  };
  await expect
    .poll(async () => (await waiting())?.next_attempt_at, { timeout: 60_000 })
    .toEqual(expect.any(String));
  const run = await waiting();
  expect(run).toMatchObject({
    attempt: 1,
    latest_error: expect.stringMatching(/SlowDown.*503|503.*SlowDown/),
  });
  expect(Date.parse(run?.next_attempt_at ?? '')).toBeLessThan(Date.now() + 10_000);
  await expect.poll(() => logOf(base)).toMatch(/Attempt 1 failed: .*SlowDown.* Next attempt in \d+ s\./s);
  place.server.faults.clear();
  expect(await done).toMatchObject([{ status: 'Completed', records_completed: EVENTS, latest_error: null }]);
  await expectRight(prefix);
}, 120_000);

describe('what a person must fix fails at once', () => {
  const struck = (status: number, code: string) => async (prefix: string) => {
    place.server.faults.add({
      match: { key: new RegExp(`^${prefix}/`), times: Number.POSITIVE_INFINITY },
      action: { status, code },
    });
  };

  it.each([
    ['AccessDenied', struck(403, 'AccessDenied'), {}, /AccessDenied.*403/],
    ['ExpiredToken', struck(400, 'ExpiredToken'), {}, /ExpiredToken/],
    ['NoSuchBucket', async () => {}, { bucket_name: 'nowhere' }, /nowhere.*NoSuchBucket/],
    ['another region', async () => {}, { region: 'eu-west-9' }, /AuthorizationHeaderMalformed|region/i],
  ] as const)('%s', async (_, prepare, config, words) => {
    const { prefix, id } = await begin(config);
    await prepare(prefix);
    await expectFailure(id, words);
    expect(place.leftovers(prefix)).toEqual([]);
  });

  it.each([
    ['a wrong secret', { aws_secret_access_key: 'wrong-secret-4711' }, /SignatureDoesNotMatch/],
    [
      'an unknown key',
      { aws_access_key_id: 'AKIAUNKNOWN', aws_secret_access_key: 'wrong-secret-4711' },
      /InvalidAccessKeyId/,
    ],
  ])('%s', async (name, keys, words) => {
    const { status, body } = await sluice.api<{ id: number }>(
      'POST',
      `/api/projects/${sluice.ready.project_id}/integrations/`,
      {
        kind: 's3-compatible',
        config: {
          name,
          endpoint_url: place.server.url,
          aws_access_key_id: place.server.credentials.accessKeyId,
          ...keys,
        },
      },
    );
    expect(status).toBe(201);
    const id = await createExport(sluice, { ...place.destination('keys', {}), integration: body.id });
    const told = await expectFailure(id, words);
    expect(told + sluice.logs()).not.toContain(keys.aws_secret_access_key);
  });

  /** Everything that the run and its log tell. */
  async function expectFailure(exportId: string, words: RegExp): Promise<string> {
    const [run] = await backfill(sluice, exportId, day, nextDay);
    expect(run).toMatchObject({ status: 'Failed', attempt: 1, latest_error: expect.stringMatching(words) });
    const base = `/api/projects/${sluice.ready.project_id}/batch_exports/${exportId}`;
    const told = JSON.stringify([run, (await sluice.api('GET', `${base}/logs/?limit=500`)).body]);
    expect(told).not.toContain(place.server.credentials.secretAccessKey);
    return told;
  }
});
