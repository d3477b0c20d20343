import { describe, expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import { exceptionError } from '../warehouse/exception.ts';
import type { Insert } from '../warehouse/warehouse.ts';
import { Batcher, type BatcherLimits } from './batcher.ts';
import { type EventRow, encodeRows } from './rows.ts';
import { createStamps } from './stamps.ts';

/** Time that moves only when told to. */
function manualClock(startMs: number) {
  let now = startMs;
  const sleepers = new Set<{ until: number; wake: () => void }>();
  return {
    now: () => now,
    sleepers,
    set: (ms: number) => {
      now = ms;
      for (const sleeper of sleepers) if (sleeper.until <= now) sleeper.wake();
    },
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const sleeper = { until: now + ms, wake: () => end(resolve) };
        const end = (settle: () => void) => {
          sleepers.delete(sleeper);
          settle();
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', () => end(() => reject(signal.reason)));
      }),
  };
}

/** A store whose inserts end when the test says so. */
function store(limits: Partial<BatcherLimits> = {}) {
  const clock = manualClock(1_000_000);
  const inserts: {
    insert: Insert;
    stored: () => void;
    failed: (error: unknown) => void;
    endsWhenStopped: () => void;
  }[] = [];
  let unlimited = 0;
  const batcher = new Batcher({
    clock,
    onUnlimited: () => void unlimited++,
    stamps: createStamps(clock, 0),
    limits,
    warehouse: {
      insert: (insert) =>
        new Promise((resolve, reject) => {
          const stop = () => reject(new SluiceError('warehouse_cancelled'));
          const endsWhenStopped = () => {
            if (insert.signal?.aborted) stop();
            else insert.signal?.addEventListener('abort', stop);
          };
          inserts.push({ insert, stored: resolve, failed: reject, endsWhenStopped });
        }),
    },
  });
  return { clock, inserts, batcher, unlimited: () => unlimited };
}

const turn = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

function rows(count: number, size = 1) {
  const event: EventRow = {
    uuid: new Uint8Array(16),
    event: 'e',
    properties: 'x'.repeat(size),
    timestampMicros: 0,
    distinctId: 'd',
    elementsChain: '',
    createdAtMicros: 0,
    personId: new Uint8Array(16),
    personProperties: '{}',
    personMode: 'full',
  };
  return encodeRows(1, Array(count).fill(event));
}

const retryable = new SluiceError('warehouse_unavailable');

function bodyOf(insert: Insert | undefined): Buffer {
  if (Buffer.isBuffer(insert?.body)) return insert.body;
  throw new Error('There is no such insert.');
}

function lengthOf(insert: Insert | undefined): number {
  return bodyOf(insert).length;
}

function stampOf(insert: Insert | undefined): bigint {
  const body = bodyOf(insert);
  return body.readBigInt64LE(body.length - 8);
}

describe('Batcher', () => {
  it('inserts at once when idle, and all of one turn together', async () => {
    const { batcher, inserts } = store();
    const answers = [batcher.add(rows(1)), batcher.add(rows(2))];
    await turn();
    expect(inserts).toHaveLength(1);
    expect(lengthOf(inserts[0]?.insert)).toBe(rows(3).bytes.length);
    inserts[0]?.stored();
    await Promise.all(answers);
    expect(batcher.queuedBytes).toBe(0);
  });

  it('gathers what comes within 50 ms of an insert', async () => {
    const { batcher, inserts, clock } = store();
    const answers = [batcher.add(rows(1))];
    await turn();
    for (let ms = 10; ms < 50; ms += 10) {
      clock.set(1_000_000 + ms);
      answers.push(batcher.add(rows(1)));
      await turn();
    }
    expect(inserts).toHaveLength(1);
    clock.set(1_000_050);
    await turn();
    expect(inserts).toHaveLength(2);
    for (const insert of inserts) insert.stored();
    await Promise.all(answers);
    expect(clock.sleepers.size).toBe(0);
  });

  it('does not wait when there is enough for an insert', async () => {
    const { batcher, inserts } = store({ eagerRows: 10 });
    const first = batcher.add(rows(1));
    await turn();
    const second = batcher.add(rows(10));
    await turn();
    expect(inserts).toHaveLength(2);
    for (const insert of inserts) insert.stored();
    await Promise.all([first, second]);
  });

  it('has at most two inserts under way and cuts at the byte limit, between requests', async () => {
    const { batcher, inserts } = store({ maxInsertBytes: 3000, eagerRows: 1 });
    const answers = Array.from({ length: 6 }, () => batcher.add(rows(1, 1300)));
    await turn();
    expect(inserts).toHaveLength(2);
    inserts[0]?.stored();
    await turn();
    expect(inserts).toHaveLength(3);
    inserts[1]?.stored();
    inserts[2]?.stored();
    await Promise.all(answers);
    expect(inserts.map(({ insert }) => lengthOf(insert))).toEqual(Array(3).fill(rows(2, 1300).bytes.length));
  });

  it('stamps never go back, though the clock does', async () => {
    const { batcher, inserts, clock } = store({ eagerRows: 1 });
    const first = batcher.add(rows(1));
    await turn();
    clock.set(400_000);
    const second = batcher.add(rows(1));
    await turn();
    expect(inserts.map(({ insert }) => stampOf(insert))).toEqual([1_000_000_000n, 1_000_000_001n]);
    inserts[0]?.stored();
    await first;
    // Rows up to here may be read meanwhile, not up to the millisecond after that.
    expect(batcher.oldestInFlight()).toBe(1_000_000);
    inserts[1]?.stored();
    await second;
  });

  it('says which stamp is the oldest not stored', async () => {
    const { batcher, inserts, clock } = store({ eagerRows: 1 });
    expect(batcher.oldestInFlight()).toBeNull();
    const first = batcher.add(rows(1));
    await turn();
    clock.set(1_000_500);
    const second = batcher.add(rows(1));
    await turn();
    expect(batcher.oldestInFlight()).toBe(1_000_000);
    inserts[0]?.stored();
    await first;
    expect(batcher.oldestInFlight()).toBe(1_000_500);
    inserts[1]?.stored();
    await second;
    expect(batcher.oldestInFlight()).toBeNull();
  });

  it('repeats a refused insert with the same bytes', async () => {
    const { batcher, inserts, clock } = store({ retryDelaysMs: [100] });
    const answer = batcher.add(rows(1));
    await turn();
    inserts[0]?.failed(retryable);
    await turn();
    expect(inserts).toHaveLength(1);
    clock.set(1_000_100);
    await turn();
    expect(inserts[1]?.insert.body).toEqual(inserts[0]?.insert.body);
    expect(batcher.oldestInFlight()).toBe(1_000_000);
    inserts[1]?.stored();
    await answer;
  });

  it('does not store late what other processes may have read past, and has it sent again with a new stamp', async () => {
    const { batcher, inserts, clock } = store({ retryDelaysMs: [100, 100], repeatWithinMs: 15_000 });
    const answer = expect(batcher.add(rows(1))).rejects.toMatchObject({ code: 'unavailable' });
    await turn();
    inserts[0]?.failed(retryable);
    await turn();
    clock.set(1_000_100);
    await turn();
    expect(inserts).toHaveLength(2);
    clock.set(1_015_000);
    inserts[1]?.failed(retryable);
    await answer;
    expect(inserts).toHaveLength(2);
  });

  it.each([
    [null, undefined],
    [15_500, 15],
    [500, 1],
  ])(
    'has the warehouse end an insert when others may have read past it (%s ms)',
    async (repeatWithinMs, seconds) => {
      const { batcher, inserts } = store({ repeatWithinMs });
      const answer = batcher.add(rows(1));
      await turn();
      expect(inserts[0]?.insert.settings?.max_execution_time).toBe(seconds);
      inserts[0]?.stored();
      await answer;
    },
  );

  it('does without that where the user may not set it, and says so once', async () => {
    const { batcher, inserts, unlimited } = store({
      repeatWithinMs: 15_000,
      retryDelaysMs: [],
      eagerRows: 1,
    });
    const answers = [batcher.add(rows(1))];
    await turn();
    answers.push(batcher.add(rows(1)));
    await turn();
    inserts[0]?.failed(exceptionError(452, '', { code: '452' }));
    inserts[1]?.failed(exceptionError(164, '', { code: '164' }));
    await turn();
    expect(inserts).toHaveLength(4);
    for (const { insert, stored } of inserts.slice(2)) {
      expect(insert.settings).not.toHaveProperty('max_execution_time');
      stored();
    }
    await Promise.all(answers);
    expect(unlimited()).toBe(1);
    const later = batcher.add(rows(1));
    await turn();
    expect(inserts[4]?.insert.settings).not.toHaveProperty('max_execution_time');
    inserts[4]?.stored();
    await later;
  });

  it.each([
    ['a refusal of another kind', [exceptionError(497, '', { code: '497' })]],
    ['one that has another reason', Array(2).fill(exceptionError(164, '', { code: '164' }))],
  ])('keeps the limit after %s', async (_, errors) => {
    const { batcher, inserts, unlimited, clock } = store({ repeatWithinMs: 15_000, retryDelaysMs: [] });
    const refused = expect(batcher.add(rows(1))).rejects.toMatchObject({ code: 'unavailable' });
    for (const [index, error] of errors.entries()) {
      await turn();
      inserts[index]?.failed(error);
    }
    await refused;
    expect(inserts).toHaveLength(errors.length);
    clock.set(1_001_000);
    const answer = batcher.add(rows(1));
    await turn();
    expect(inserts.at(-1)?.insert.settings).toHaveProperty('max_execution_time', 15);
    inserts.at(-1)?.stored();
    await answer;
    expect(unlimited()).toBe(0);
  });

  it.each([
    ['retries are used up', [], retryable],
    ['trying again is useless', [100, 100], new SluiceError('warehouse_query')],
  ])('tells every request to send again when %s', async (_, retryDelaysMs, failure) => {
    const { batcher, inserts } = store({ retryDelaysMs });
    const answers = Promise.allSettled([batcher.add(rows(1)), batcher.add(rows(1))]);
    await turn();
    inserts[0]?.failed(failure);
    for (const answer of await answers) {
      expect(answer).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', retryAfter: 5 } });
    }
    expect(batcher.oldestInFlight()).toBeNull();
    expect(batcher.queuedBytes).toBe(0);
  });

  it('gives every attempt a deadline of its own', async () => {
    const { batcher, inserts } = store({ retryDelaysMs: [], insertTimeoutMs: 5 });
    const answer = batcher.add(rows(1));
    await turn();
    inserts[0]?.endsWhenStopped();
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('stops an attempt that waits until others may have read past its stamp', async () => {
    const { batcher, inserts, clock } = store({ retryDelaysMs: [100], repeatWithinMs: 15_000 });
    const answer = batcher.add(rows(1));
    await turn();
    expect(inserts[0]?.insert.signal?.aborted).toBe(false);
    clock.set(1_014_895);
    inserts[0]?.failed(retryable);
    await turn();
    clock.set(1_014_995);
    await turn();
    inserts[1]?.endsWhenStopped();
    await expect(answer).rejects.toMatchObject({ code: 'unavailable' });
    expect(inserts).toHaveLength(2);
  });

  it('refuses what does not fit its queue, but never the first', async () => {
    const { batcher, inserts } = store({ maxQueueBytes: 100 });
    const first = batcher.add(rows(1, 500));
    await expect(batcher.add(rows(1))).rejects.toMatchObject({ code: 'unavailable', retryAfter: 5 });
    await turn();
    inserts[0]?.stored();
    await first;
  });

  it('drains when closed and takes nothing more', async () => {
    const { batcher, inserts } = store();
    const first = batcher.add(rows(1));
    await turn();
    const second = batcher.add(rows(1));
    const closed = batcher.close();
    await expect(batcher.add(rows(1))).rejects.toMatchObject({ code: 'unavailable' });
    await turn();
    expect(inserts).toHaveLength(2);
    for (const insert of inserts) insert.stored();
    await Promise.all([first, second, closed]);
  });
});
