import pino from 'pino';
import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import { createPlaces } from './places.ts';
import { createWorker, type WorkableRun, type WorkerPorts } from './worker.ts';

const NEVER_LOST = new AbortController().signal;

/** A worker whose clock moves when somebody sleeps, and the list of what it did. */
function bench(overrides: Partial<WorkerPorts<WorkableRun>> = {}) {
  const did: string[] = [];
  let now = 1_000_000;
  let attempt = 0;
  const worker = createWorker<WorkableRun>({
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms;
      },
    },
    random: () => 0,
    retryMs: 5_000,
    log: pino({ level: 'silent' }),
    claim: async (id) => ({ id, attempt: ++attempt, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 0 }),
    goesOn: async () => false,
    letGo: async (run) => void did.push(`let go ${run.id}`),
    later: async (id, at) => void did.push(`later ${id} +${at - now}`),
    watermark: async () => now,
    postpone: async (run, at) => void did.push(`postpone ${run.id} +${at - now}`),
    places: createPlaces(2, { now: () => now }),
    placeOf: () => 'a store',
    execute: async (run) => void did.push(`execute ${run.id}`),
    retry: async (run, _, { at }) => void did.push(`retry ${run.id} +${at - now}`),
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
  const near = bench({
    claim: async (id) => ({ id, attempt: 1, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 1_001_500 }),
  });
  await near.worker.handle('a', NEVER_LOST);
  expect(near.did).toEqual(['execute a']);
  const far = bench({
    claim: async (id) => ({ id, attempt: 1, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 1_060_000 }),
  });
  await far.worker.handle('a', NEVER_LOST);
  expect(far.did).toEqual(['postpone a +60000']);
  const century = bench({ watermark: async () => -1e12 });
  await century.worker.handle('a', NEVER_LOST);
  expect(century.did).toEqual(['postpone a +60000']);
});

it('reads nothing before the watermark is there, not even a millisecond', async () => {
  const marks = [1_000_000, 1_001_499, 1_001_500];
  const { worker, did } = bench({
    claim: async (id) => ({ id, attempt: 1, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 1_001_500 }),
    watermark: async () => marks.shift() ?? 0,
    execute: async () => void did.push(`execute with ${marks.length} to come`),
  });
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['execute with 0 to come']);
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

it.each([
  ['a bug', new TypeError('x is not a function'), 2, 2, 'fail a Failed'],
  ['a hiccup', new SluiceError('destination_unavailable'), 149, 0, 'fail a FailedRetryable'],
])(
  'gives up after so many failures of %s, not after so many claims',
  async (_, error, failures, bugs, verdict) => {
    const claimed = (before: number, bugs: number) => ({
      ...failing(error),
      claim: async (id: string) => ({
        id,
        attempt: 1_000,
        failures: before,
        bugs,
        silentClaims: 0,
        readableFrom: 0,
      }),
    });
    const first = bench(claimed(0, 0));
    await first.worker.handle('a', NEVER_LOST);
    expect(first.did).toEqual(['retry a +2500']);
    const last = bench(claimed(failures, bugs));
    await last.worker.handle('a', NEVER_LOST);
    expect(last.did).toEqual([verdict, 'tidy a']);
  },
);

it('lets a run wait that ended with its process ten times in a row, then tries it once more each time', async () => {
  const claimed = (silentClaims: number, failures: number) => ({
    claim: async (id: string) => ({ id, attempt: 9, failures, bugs: 0, silentClaims, readableFrom: 0 }),
    retry: async (_: WorkableRun, error: unknown, next: { at: number; silentClaims: number }) =>
      void said.push([error, next.silentClaims]),
  });
  const said: unknown[] = [];
  const unlucky = bench(claimed(9, 0));
  await unlucky.worker.handle('a', NEVER_LOST);
  expect(unlucky.did).toEqual(['execute a']);
  const deadly = bench(claimed(10, 0));
  await deadly.worker.handle('a', NEVER_LOST);
  expect(deadly.did).toEqual([]);
  expect(said).toEqual([[new SluiceError('run_silent'), 9]]);
  const hopeless = bench(claimed(10, 149));
  await hopeless.worker.handle('a', NEVER_LOST);
  expect(hopeless.did).toEqual(['fail a FailedRetryable', 'tidy a']);
});

it('writes nothing on a run that another worker took over', async () => {
  const { worker, did } = bench(failing(new SluiceError('run_superseded')));
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual([]);
});

it('tidies up after a run that was cancelled while it was at work', async () => {
  const { worker, did } = bench(failing(new SluiceError('run_cancelled')));
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['tidy a']);
});

/** Executes until it is aborted. */
function untilAborted(did: string[]) {
  const started = Promise.withResolvers<void>();
  const execute = (run: WorkableRun, signal: AbortSignal): Promise<void> => {
    did.push(`execute ${run.attempt}`);
    started.resolve();
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  return { started: started.promise, execute };
}

it('a cancel stops a run in progress', async () => {
  const did: string[] = [];
  const { started, execute } = untilAborted(did);
  const { worker } = bench({ execute, tidy: async (id) => void did.push(`tidy ${id}`) });
  const handled = worker.handle('a', NEVER_LOST);
  await started;
  worker.abort('a', new SluiceError('run_cancelled'));
  await handled;
  expect(did).toEqual(['execute 1', 'tidy a']);
});

it('a second delivery of a run in progress takes no turn, and leaves the run a job', async () => {
  const { started, execute } = untilAborted([]);
  const { worker, did } = bench({ execute: async (run, signal) => execute(run, signal) });
  const first = worker.handle('a', NEVER_LOST);
  await started;
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['later a +10000']);
  worker.interrupt();
  await expect(first).rejects.toMatchObject({ code: 'unavailable' });
});

it('a second delivery for which no job can be stored is not reported as done', async () => {
  const { started, execute } = untilAborted([]);
  const away = new SluiceError('database_unavailable');
  const { worker } = bench({ execute, later: async () => Promise.reject(away) });
  const first = worker.handle('a', NEVER_LOST);
  await started;
  await expect(worker.handle('a', NEVER_LOST)).rejects.toBe(away);
  worker.interrupt();
  await expect(first).rejects.toMatchObject({ code: 'unavailable' });
});

/** Its first attempt ends when the test says so, or when it is aborted. */
function untilTold() {
  const told = Promise.withResolvers<void>();
  const { started, execute } = untilAborted([]);
  return {
    started,
    told,
    execute: (run: WorkableRun, signal: AbortSignal) => Promise.race([execute(run, signal), told.promise]),
  };
}

it('a run that has a later job goes on when it loses its first, and is done once', async () => {
  const { started, told, execute } = untilTold();
  let ended = false;
  const { worker, did } = bench({
    claim: async (id) =>
      ended ? null : { id, attempt: 1, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 0 },
    execute: async (run, signal) => {
      await execute(run, signal);
      ended = true;
    },
  });
  const job = new AbortController();
  const first = worker.handle('a', job.signal);
  await started;
  await worker.handle('a', NEVER_LOST);
  job.abort(new Error('no longer active'));
  told.resolve();
  await first;
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['later a +10000', 'tidy a']);
});

it('the later job goes on with a run whose first ended without an outcome', async () => {
  const { started, told, execute } = untilTold();
  const broken = new Error('the outcome could not be stored');
  const { worker, did } = bench({
    execute: async (run, signal) => {
      if (run.attempt > 1) return void did.push(`execute ${run.attempt}`);
      return await execute(run, signal);
    },
    retry: async () => Promise.reject(broken),
  });
  const first = worker.handle('a', NEVER_LOST);
  await started;
  await worker.handle('a', NEVER_LOST);
  told.reject(new SluiceError('destination_unavailable'));
  await expect(first).rejects.toBe(broken);
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual(['later a +10000', 'let go a', 'execute 2']);
});

it('a second delivery goes on with a run whose first lost its job', async () => {
  const did: string[] = [];
  const { started, execute } = untilAborted(did);
  const { worker } = bench({
    execute: async (run, signal) => (run.attempt === 1 ? execute(run, signal) : void did.push('execute 2')),
  });
  const job = new AbortController();
  const first = worker.handle('a', job.signal);
  await started;
  job.abort(new Error('no longer active'));
  const second = worker.handle('a', NEVER_LOST);
  await expect(first).rejects.toThrow('no longer active');
  await second;
  expect(did).toEqual(['execute 1', 'execute 2']);
});

it('a run whose job is lost goes on while it is held and has another, with whoever that is', async () => {
  const { started, told, execute } = untilTold();
  const { worker, did } = bench({ execute, goesOn: async () => true });
  const job = new AbortController();
  const first = worker.handle('a', job.signal);
  await started;
  job.abort(new Error('no longer active'));
  await worker.handle('a', NEVER_LOST);
  told.resolve();
  await first;
  expect(did).toEqual(['later a +10000']);
});

it('a run whose job is lost stops when nobody can tell whether it has another', async () => {
  const { started, execute } = untilAborted([]);
  const { worker } = bench({
    execute,
    goesOn: async () => Promise.reject(new SluiceError('database_unavailable')),
  });
  const job = new AbortController();
  const first = worker.handle('a', job.signal);
  await started;
  job.abort(new Error('no longer active'));
  await expect(first).rejects.toThrow('no longer active');
});

it('what is known too late of an older claim does not stop the newer one of the same process', async () => {
  const did: string[] = [];
  const { started, execute } = untilAborted(did);
  const outage = async () => {
    throw new SluiceError('database_unavailable');
  };
  const { worker } = bench({
    execute: (run, signal) => (run.attempt === 1 ? outage() : execute(run, signal)),
    retry: outage,
  });
  const handled = worker.handle('a', NEVER_LOST).then(() => did.push('done'));
  await started;
  const superseded = new SluiceError('run_superseded');
  worker.abort('a', superseded, 1);
  expect(worker.claims()).toEqual([{ id: 'a', attempt: 2 }]);
  worker.interrupt();
  await expect(handled).rejects.toMatchObject({ code: 'unavailable' });
  expect(did).toEqual(['execute 2']);
});

it('a claim that is lost stops the attempt that made it', async () => {
  const did: string[] = [];
  const { started, execute } = untilAborted(did);
  const { worker } = bench({ execute });
  const handled = worker.handle('a', NEVER_LOST);
  await started;
  for (const { id, attempt } of worker.claims()) worker.abort(id, new SluiceError('run_superseded'), attempt);
  await handled;
  expect(did).toEqual(['execute 1']);
});

it('a run goes on when the database is back', async () => {
  let away = 3;
  const execute = async () => {
    if (away-- > 0) throw new SluiceError('database_unavailable');
  };
  const outage = async () => {
    throw new SluiceError('database_unavailable');
  };
  const { worker, did } = bench({ execute, retry: outage });
  await worker.handle('a', NEVER_LOST);
  expect([away, did]).toEqual([-1, []]);
});

it('while a store does not answer, one of its runs tries and others give their turns away', async () => {
  const trying = Promise.withResolvers<void>();
  let failed = false;
  const { worker, did } = bench({
    placeOf: ({ id }) => (id === 'healthy' ? 'another store' : 'a store'),
    execute: async ({ id }) => {
      if (id === 'healthy') return void did.push('execute healthy');
      if (failed) await trying.promise;
      failed = true;
      throw new SluiceError('destination_unavailable');
    },
  });
  await worker.handle('a', NEVER_LOST);
  const second = worker.handle('b', NEVER_LOST);
  await worker.handle('c', NEVER_LOST);
  await worker.handle('healthy', NEVER_LOST);
  expect(did).toEqual(['retry a +2500', 'postpone c +5000', 'execute healthy']);
  trying.resolve();
  await second;
});

it('a run that gives its turn away says why; one whose time has not come does not', async () => {
  const reasons: unknown[] = [];
  const places = createPlaces(2, { now: () => 0 });
  places.enter('a store');
  places.leave('a store', new SluiceError('destination_unavailable'));
  places.enter('a store');
  const postpone = async (...[, , reason]: [WorkableRun, number, string?]) => void reasons.push(reason);
  await bench({ places, postpone }).worker.handle('a', NEVER_LOST);
  await bench({ watermark: async () => -60_000, postpone }).worker.handle('a', NEVER_LOST);
  expect(reasons).toEqual([expect.stringContaining('did not answer'), undefined]);
});

it('says of each claim whether this very process made one before: that one did not end with it', async () => {
  let away = 3;
  const claims: boolean[] = [];
  const { worker } = bench({
    claim: async (id, again) => {
      claims.push(again);
      if (away-- > 0) throw new SluiceError('database_unavailable');
      return { id, attempt: 1, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 0 };
    },
  });
  await worker.handle('a', NEVER_LOST);
  await worker.handle('a', NEVER_LOST);
  expect(claims).toEqual([false, true, true, true, false]);
});

it('claims a run again after an outage only as the one that had it', async () => {
  const asked: (number | null)[] = [];
  const outage = async () => {
    throw new SluiceError('database_unavailable');
  };
  const { worker, did } = bench({
    execute: outage,
    retry: outage,
    claim: async (id, _, held) => {
      asked.push(held);
      if (asked.length === 2) return await outage();
      // Another process has it by now.
      if (asked.length === 4) return null;
      return { id, attempt: 6 + asked.length, failures: 0, bugs: 0, silentClaims: 0, readableFrom: 0 };
    },
  });
  await worker.handle('a', NEVER_LOST);
  expect([asked, did]).toEqual([[null, 7, 7, 9], ['tidy a']]);
});

it('tries a bug again that follows upon hiccups', async () => {
  const { worker, did } = bench({
    ...failing(new TypeError('x is not a function')),
    claim: async (id) => ({ id, attempt: 9, failures: 8, bugs: 1, silentClaims: 0, readableFrom: 0 }),
  });
  await worker.handle('a', NEVER_LOST);
  expect(did).toEqual([expect.stringMatching(/^retry a/)]);
});

it('a job that comes while the process stops is not reported as done', async () => {
  const { worker } = bench();
  worker.interrupt();
  await expect(worker.handle('a', NEVER_LOST)).rejects.toMatchObject({ code: 'unavailable' });
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
  expect(did).toEqual(['let go a']);
});
