import pino from 'pino';
import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import { type ClaimedRun, createWorker, type WorkerPorts } from './worker.ts';

const NEVER_LOST = new AbortController().signal;

/** A worker whose clock moves when somebody sleeps, and the list of what it did. */
function bench(overrides: Partial<WorkerPorts<ClaimedRun>> = {}) {
  const did: string[] = [];
  let now = 1_000_000;
  let attempt = 0;
  const worker = createWorker<ClaimedRun>({
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
    random: () => 0,
    retryMs: 5_000,
    log: pino({ level: 'silent' }),
    claim: async (id) => ({ id, attempt: ++attempt, readableFrom: 0 }),
    watermark: async () => now,
    postpone: async (run, at) => void did.push(`postpone ${run.id} +${at - now}`),
    execute: async (run) => void did.push(`execute ${run.id}`),
    retry: async (run, _, at) => void did.push(`retry ${run.id} +${at - now}`),
    fail: async (run, _, status) => void did.push(`fail ${run.id} ${status}`),
    tidy: async (id) => void did.push(`tidy ${id}`),
    ...overrides,
  });
  return { worker, did };
}

const failing = (error: unknown) => ({
  execute: async () => {
    throw error;
  },
});

it('claims, then executes', async () => {
  const { worker, did } = bench();
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['execute a']);
});

it('only tidies up after what cannot be claimed', async () => {
  const { worker, did } = bench({ claim: async () => null });
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['tidy a']);
});

it('waits for a watermark that is near and postpones the run when it is far', async () => {
  const near = bench({ claim: async (id) => ({ id, attempt: 1, readableFrom: 1_001_500 }) });
  await near.worker.handle('a', NEVER_LOST);
  expect(near.did).toEqual(['execute a']);
  const far = bench({ claim: async (id) => ({ id, attempt: 1, readableFrom: 1_060_000 }) });
  await far.worker.handle('a', NEVER_LOST);
  expect(far.did).toEqual(['postpone a +60000']);
});

it.each([
  ['a hiccup', new SluiceError('destination_unavailable'), ['retry a +2500']],
  ['what a person must fix', new SluiceError('destination_denied'), ['fail a Failed', 'tidy a']],
  ['something unknown, at first', new TypeError('x is not a function'), ['retry a +2500']],
])('judges %s', async (_, error, verdict) => {
  const { worker, did } = bench(failing(error));
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(verdict);
});

it('writes nothing on a run that another worker took over', async () => {
  const { worker, did } = bench(failing(new SluiceError('run_superseded')));
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual([]);
});

it('ignores a second delivery of a run in progress and stops it when it is cancelled', async () => {
  const started = Promise.withResolvers<void>();
  const { worker, did } = bench({
    execute: (_, signal) => {
      did.push('execute');
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const first = worker.handle('a', NEVER_LOST);
  await started.promise;
  await worker.handle('a', NEVER_LOST);
  worker.abort('a', new SluiceError('run_cancelled'));
  await first;
  expect(did).toEqual(['execute']);
});

it('hands an interrupted run back to the queue', async () => {
  const started = Promise.withResolvers<void>();
  const { worker, did } = bench({
    execute: (_, signal) => {
      started.resolve();
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  });
  const first = worker.handle('a', NEVER_LOST);
  await started.promise;
  worker.interrupt();
  await expect(first).rejects.toMatchObject({ code: 'unavailable' });
  expect(did).toEqual([]);
});
