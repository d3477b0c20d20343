import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Toxic } from '../kit/proxy/toxics.ts';
import {
  createExport,
  expectDelivered,
  pathOf,
  type Run,
  runsOf,
  startBackfill,
  untilEnded,
} from './check.ts';
import { makeEvents, type Range, send } from './events.ts';
import { type NetworkStack, PATIENCE, startNetworkStack, type Target } from './network-stack.ts';
import { chooseSeed, LONG, seeded } from './random.ts';

/**
 * anchors.md D.3, row 4: every toxic between the server and each of its three neighbours. While it lasts, the run goes on
 * slowly or its failure is told in time and with the right class; once it is over, the run completes by itself and
 * everything is delivered once.
 */
const seed = chooseSeed('network');
const random = seeded(seed);
const start = new Date(Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000);
const range: Range = { start, end: new Date(start.getTime() + 3_600_000) };
const events = makeEvents(200, range, 200, seeded(7));
/** With a size limit there is a manifest. */
const CONFIG = { file_format: 'JSONLines', max_file_size_mb: 50 };
const uuids = events.map(({ uuid }) => uuid);

interface Case {
  readonly toxic: Toxic;
  /** Whether a run completes in spite of it. */
  readonly bearable: boolean;
}

const TOXICS: Readonly<Record<string, Case>> = {
  latency: { toxic: { kind: 'latency', ms: 25, jitterMs: 25 }, bearable: true },
  'a short stall': { toxic: { kind: 'stall', ms: 1_000 }, bearable: true },
  'tiny pieces': { toxic: { kind: 'slicer', bytes: 700, gapMs: 1 }, bearable: true },
  '64 KB/s': { toxic: { kind: 'bandwidth', bytesPerSecond: 65_536 }, bearable: true },
  'a slow close': { toxic: { kind: 'slowClose', ms: 500 }, bearable: true },
  'a long stall': { toxic: { kind: 'stall', ms: 30_000 }, bearable: false },
  'a reset': { toxic: { kind: 'reset', afterBytes: 0 }, bearable: false },
  'a reset half-way': { toxic: { kind: 'reset', afterBytes: 4_000 }, bearable: false },
  'answers cut short': { toxic: { kind: 'limitData', bytes: 60 }, bearable: false },
  'every third request reset': { toxic: { kind: 'flapping', every: 3 }, bearable: false },
  'half-open': { toxic: { kind: 'halfOpen' }, bearable: false },
  down: { toxic: { kind: 'down' }, bearable: false },
};
const TARGETS: readonly Target[] = ['ClickHouse', 'Postgres', 'S3'];

/** Said by the run itself and not by a request of the API before it. */
const RUN_SAYS: Readonly<Record<Target, RegExp | undefined>> = {
  ClickHouse: /batch_export/,
  Postgres: /"attempt" = attempt \+ 1/,
  S3: undefined,
};

const all = TARGETS.flatMap((target) => Object.keys(TOXICS).map((name) => [name, target] as const));

/** One of each target that a run bears and one that it does not, others each time. */
function sample(): (readonly [string, Target])[] {
  return TARGETS.flatMap((target) =>
    [true, false].map((bearable) => {
      const names = Object.keys(TOXICS).filter((name) => TOXICS[name]?.bearable === bearable);
      return [names[Math.floor(random() * names.length)] ?? '', target] as const;
    }),
  );
}

const cases = LONG ? Array.from({ length: 5 }, () => all).flat() : sample();
/** Beside the layer's own patience: this machine's slowness, and what watches over the run looks every so often. */
const SLACK_MS = 8_000;

let stack: NetworkStack;
let number = 0;
let rssAfterOne = 0;
beforeAll(async () => {
  stack = await startNetworkStack(random);
  await send(stack.sluice.ready, events);
});
afterEach(() => {
  for (const target of TARGETS) stack.proxies[target].clear();
});
afterAll(() => stack?.stop());

const rss = (): number => {
  const status = readFileSync(`/proc/${stack.sluice.process.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
};

describe(`SLUICE_SEED=${seed}`, () => {
  it.each(cases)('%s, %s', { timeout: 120_000 }, async (name, target) => {
    const { toxic, bearable } = TOXICS[name] as Case;
    const prefix = `net/${number++}`;
    const { sluice, bucket, proxies } = stack;
    const id = await createExport(sluice, bucket.destination(prefix, CONFIG));
    const when = RUN_SAYS[target];
    const struck = proxies[target].strike(toxic, when ? { when } : {});
    const saidBefore = sluice.logs().length;
    await startBackfill(sluice, id, range).catch((error: Error) => {
      // Its run may be claimed before the request is answered; what strikes the one strikes the other then.
      if (target !== 'Postgres') throw error;
      expect(error.message).toContain('"code":"database_unavailable"');
    });
    await vi.waitFor(() => expect(struck.count()).toBeGreaterThan(0), { timeout: 20_000, interval: 20 });
    if (!bearable) {
      const told = { target, id, saidBefore, othersToo: toxic.kind === 'flapping' };
      await vi.waitFor(() => expectTold(told), {
        timeout: 2_000 * PATIENCE + SLACK_MS,
        interval: 100,
      });
      proxies[target].clear();
    }
    const runs = await untilEnded(sluice, id, 60_000);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({ latest_error: null });
    await expectDelivered(bucket, prefix, runs, uuids);
    rssAfterOne ||= rss();
  });
});

interface Told {
  readonly target: Target;
  readonly id: string;
  /** Length of the server's log before. */
  readonly saidBefore: number;
  /** Whether what is hit may be somebody else's request, such as the app metrics', and no request of the run. */
  readonly othersToo: boolean;
}

/** The failure is known where a person looks: at the run and its log, in the server's log, or in the answer of the API. */
async function expectTold({ target, id, saidBefore, othersToo }: Told): Promise<void> {
  const { sluice } = stack;
  if (target === 'Postgres') {
    const answer = await sluice.api<{ code?: string }>('GET', `${pathOf(sluice, id)}/runs/`);
    const told = sluice.logs().slice(saidBefore).includes('"code":"database_unavailable"');
    expect(answer.status === 503 || told, `HTTP ${answer.status}`).toBe(true);
    return;
  }
  const [run] = (await runsOf(sluice, id)) as (Run & { next_attempt_at: string | null })[];
  if (target === 'ClickHouse' && othersToo && run?.status === 'Completed') {
    expect(sluice.logs().slice(saidBefore)).toContain('"code":"warehouse_unavailable"');
    return;
  }
  const { body } = await sluice.api<{ results: { level: string; message: string }[] }>(
    'GET',
    `${pathOf(sluice, id)}/logs/?limit=100`,
  );
  const told = body.results.filter(({ level }) => level === 'WARNING').map(({ message }) => message);
  expect(told.join('\n')).toMatch(/attempt/i);
  expect(run?.status).not.toBe('Failed');
  if (target === 'ClickHouse') {
    expect(run?.latest_error).toMatch(/warehouse could not be reached/);
  }
}

/** Replies lost per round: 5 completions, 5 manifests, 5 transactions, 2 claims, 3 inserts. */
const HOURS = 5;
const ROUNDS = LONG ? 10 : 1;

it(`${ROUNDS * 20} replies lost after the deed: nothing twice, nothing lost, and the runs say so (SLUICE_SEED=${seed})`, {
  timeout: 120_000 * ROUNDS,
}, async () => {
  const { sluice, bucket, proxies } = stack;
  for (let round = 0; round < ROUNDS; round++) {
    const prefix = `lost/${round}`;
    const first = new Date(start.getTime() + (6 + round) * 86_400_000 * -1);
    const hours: Range = { start: first, end: new Date(first.getTime() + HOURS * 3_600_000) };
    const captured = makeEvents(150, hours, 100, random);
    const inserts = proxies.ClickHouse.strike(
      { kind: 'loseReply' },
      { when: /INSERT(\+|%20)INTO/, times: 3 },
    );
    for (let at = 0; at < captured.length; at += 50) await send(sluice.ready, captured.slice(at, at + 50));
    expect(inserts.count()).toBe(3);
    const id = await createExport(sluice, bucket.destination(prefix, CONFIG));
    const lost = Array.from({ length: HOURS }, (_, hour) => {
      const key = new RegExp(`^${prefix}/.*T0${hour}:00:00\\+00:00-`);
      const manifest = new RegExp(`${key.source}.*_manifest`);
      return [
        { operation: 'CompleteMultipartUpload', key } as const,
        { operation: 'PutObject', key: manifest } as const,
      ].map((match) => bucket.server.faults.add({ match, action: { dropReplyAfterCommit: true } }));
    }).flat();
    // No request of the API claims a run, but one may commit.
    const claims = proxies.Postgres.strike(
      { kind: 'loseReply' },
      { when: RUN_SAYS.Postgres as RegExp, times: 2 },
    );
    await startBackfill(sluice, id, hours);
    const commits = proxies.Postgres.strike(
      { kind: 'loseReply' },
      { when: /commit\0/i, skip: Math.floor(random() * 4), times: 5 },
    );
    const runs = await untilEnded(sluice, id, 60_000);
    expect(runs).toHaveLength(HOURS);
    expect(lost.map(({ struck }) => struck)).toEqual(lost.map(() => 1));
    expect(claims.count()).toBe(2);
    // The last ones are ticks.
    await vi.waitFor(() => expect(commits.count()).toBe(5), { timeout: 20_000 });
    await expectDelivered(
      bucket,
      prefix,
      runs,
      captured.map(({ uuid }) => uuid),
    );
    for (const target of TARGETS) proxies[target].clear();
    bucket.server.faults.clear();
  }
});

/** Longer than the queue's heartbeats: it takes the job from whoever has it and delivers it again, to the same process. */
it.runIf(LONG).each([10_500, 11_200, 12_600, 15_000])(
  'Postgres away for %i ms in the middle of a run: the run goes on, and none is left without a job',
  { timeout: 120_000 },
  async (ms) => {
    const prefix = `away/${ms}`;
    const { sluice, bucket, proxies } = stack;
    const id = await createExport(sluice, bucket.destination(prefix, CONFIG));
    const match = { operation: 'UploadPart', times: Number.POSITIVE_INFINITY } as const;
    const hung = bucket.server.faults.add({ match, action: { hang: true } });
    await startBackfill(sluice, id, range);
    await vi.waitFor(() => expect(hung.struck).toBe(1), { timeout: 20_000, interval: 20 });
    proxies.Postgres.strike({ kind: 'down' });
    await pause(ms);
    proxies.Postgres.clear();
    // While the first attempt still hangs at the store, the job comes back.
    await pause(6_000);
    bucket.server.faults.clear();
    const runs = await untilEnded(sluice, id, 60_000);
    await expectDelivered(bucket, prefix, runs, uuids);
  },
);

it('nothing was taken for a bug, and memory stays flat', async () => {
  expect(stack.sluice.logs()).not.toContain('run failed unexpectedly');
  process.stdout.write(`RSS ${rssAfterOne.toFixed(0)} → ${rss().toFixed(0)} MB\n`);
  expect(rss()).toBeLessThan((rssAfterOne || 300) + 150);
});
