import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { v7 } from 'uuid';
import { afterAll, expect, it, vi } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import { personId } from '../person-id.ts';
import { createReader, type ReaderPorts, type ReadRequest, type SentRequest } from '../reader.ts';
import { stampRows } from '../rows.ts';
import { newUuid } from '../uuid.ts';
import { openReaderThread } from './open-thread.ts';

const KEY = 'phc_here';
const projectByKey: ReaderPorts['projectByKey'] = async (key) => (key === KEY ? { id: 7 } : null);
const here = createReader({ projectByKey, personId, newUuid });
const neverLost = (error: Error) => {
  throw error;
};
const thread = openReaderThread(projectByKey, neverLost);
afterAll(() => thread.close());

function request(raw: Buffer, parts: Partial<SentRequest> = {}): SentRequest {
  const content = { raw, contentType: 'application/json', contentEncoding: '', compression: '' };
  const query = { key: '', sentAt: '' };
  return { content, protocol: 'events', query, ip: '1.2.3.4', receivedMicros: 1e15, ...parts };
}

const batch = (key: string, events: unknown) => Buffer.from(JSON.stringify({ api_key: key, batch: events }));

/** What was read, stamped as at an insert: until then nobody has written there. */
const outcome = (reading: Promise<ReadRequest>) =>
  reading.then(
    ({ rows, results }) => {
      stampRows(rows.bytes, 0, rows, 1e15);
      return { rows, results };
    },
    (error) => {
      if (!(error instanceof SluiceError)) throw error;
      const { code, attr, message, retryAfter } = error;
      return { code, attr, message, retryAfter };
    },
  );

const EVENT = { event: 'e', distinct_id: 'd' };

const event = fc.record(
  {
    uuid: fc.uuid(),
    event: fc.oneof(fc.string({ unit: 'binary' }), fc.constant(7)),
    distinct_id: fc.oneof(fc.string(), fc.bigInt({ min: 0n, max: 2n ** 60n }).map(Number)),
    properties: fc.oneof(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue()), fc.constant('no')),
  },
  { requiredKeys: ['uuid', 'event', 'distinct_id'] },
);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(fc.constantFrom(KEY, KEY, KEY, 'phc_unknown'), fc.array(event, { maxLength: 4 }), fc.boolean())
    .map(([key, events, packed]) => (packed ? gzipSync(batch(key, events)) : batch(key, events))),
);
const v1 = { v1: { authorization: `Bearer ${KEY}`, sdkInfo: 'posthog-node/5', requestTimestamp: '' } };

it('rows, results and refusals are those of reading here', async () => {
  const protocol = fc.constantFrom('events' as const, 'engage' as const, v1);
  await fc.assert(
    fc.asyncProperty(body, protocol, async (raw, protocol) => {
      const sent = request(raw, { protocol });
      const there = await outcome(thread.read(sent));
      expect(there).toEqual(await outcome(here.read(sent)));
    }),
    { numRuns: 300 },
  );
});

it('takes a copy of a body that shares its memory with others', async () => {
  const events = [{ uuid: v7(), event: 'e', distinct_id: 'd' }];
  const shared = Buffer.from(`....${batch(KEY, events)}....`);
  const { rows } = await thread.read(request(shared.subarray(4, -4)));
  expect(rows.count).toBe(1);
  expect(shared.subarray(0, 4).toString()).toBe('....');
});

it('says what the search for a project failed with', async () => {
  const outage = new SluiceError('database_unavailable', { retryAfter: 3 });
  const failing = openReaderThread(
    vi.fn().mockRejectedValueOnce(outage).mockRejectedValue(new TypeError('bug')),
    neverLost,
  );
  const sent = () => request(batch(KEY, [{ event: 'e', distinct_id: 'd' }]));
  expect(await outcome(failing.read(sent()))).toMatchObject({ code: 'database_unavailable', retryAfter: 3 });
  await expect(failing.read(sent())).rejects.toThrow('bug');
  await failing.close();
});

it('a body that takes more memory than there is costs the thread, not the process', async () => {
  const onLost = vi.fn();
  const small = openReaderThread(projectByKey, onLost, { maxOldGenerationSizeMb: 16 });
  // Parsed, they are a third of the memory there is; what is to be stored of them does not fit. Inside `JSON.parse`,
  // the end of the memory is the end of the process.
  const first = outcome(small.read(request(batch(KEY, Array(100_000).fill({ event: 'e', distinct_id: 1 })))));
  const second = outcome(small.read(request(batch(KEY, []))));
  expect(await first).toMatchObject({ code: 'unavailable', retryAfter: 5 });
  expect(await second).toMatchObject({ code: 'unavailable' });
  expect(await outcome(small.read(request(batch(KEY, []))))).toMatchObject({ code: 'unavailable' });
  expect(onLost).toHaveBeenCalledOnce();
  expect(onLost.mock.calls[0]?.[0]).toMatchObject({ code: 'ERR_WORKER_OUT_OF_MEMORY' });
});

it('lets no key of which the database says nothing keep the others waiting', async () => {
  const silent: ReaderPorts['projectByKey'] = (key) =>
    key === KEY ? projectByKey(key) : new Promise(() => {});
  const patient = openReaderThread(silent, neverLost, {}, { requestMs: 30_000, keyMs: 10 });
  const unknown = outcome(patient.read(request(batch('phc_silent', [EVENT]))));
  const known = outcome(patient.read(request(batch(KEY, [EVENT]))));
  expect(await unknown).toMatchObject({ code: 'database_unavailable', retryAfter: 5 });
  expect(await known).toMatchObject({ rows: { count: 1 } });
  await patient.close();
});

it('is given up when a request takes longer than any may', async () => {
  const onLost = vi.fn();
  const slow = openReaderThread(() => new Promise(() => {}), onLost, {}, { requestMs: 50, keyMs: 30_000 });
  const readings = [1, 2].map(() => outcome(slow.read(request(batch(KEY, [EVENT])))));
  for (const reading of readings) expect(await reading).toMatchObject({ code: 'unavailable', retryAfter: 5 });
  expect(onLost).toHaveBeenCalledOnce();
  expect(onLost.mock.calls[0]?.[0]).toMatchObject({ message: expect.stringContaining('0.05 s') });
});

it('once closed, what it has not read is to be sent again', async () => {
  const closed = openReaderThread(projectByKey, neverLost);
  const reading = outcome(closed.read(request(batch(KEY, [{ event: 'e', distinct_id: 'd' }]))));
  expect(closed.busy).toBe(1);
  await closed.close();
  expect(await reading).toMatchObject({ code: 'unavailable' });
  expect(closed.busy).toBe(0);
});
