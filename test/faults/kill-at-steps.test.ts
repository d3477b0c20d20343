import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RUN_STEPS } from '../../src/batch-exports/runs/steps.ts';
import { INSERT_STEPS } from '../../src/capture/steps.ts';
import { STEPS } from '../../src/export/steps.ts';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';
import { createExport, expectDelivered, runsOf, startBackfill, untilEnded } from './check.ts';
import { type BucketPlace, filesystem, openBucketPlace, type Place } from './destinations.ts';
import { makeEvents, type Range, type SentEvent, send } from './events.ts';
import { LONG, seeded } from './random.ts';

/** From a restart until every run that the crash interrupted has ended (anchors.md D.3, row 1). */
const RECOVERY_MS = 20_000;
const HOUR = 3_600_000;
const yesterday = Math.floor(Date.now() / 86_400_000 - 1) * 86_400_000;
const range: Range = { start: new Date(yesterday), end: new Date(yesterday + 2 * HOUR) };
/** Two intervals of 1.5 MB each: two or more files per run with a limit of 1 MB, also of compressed ones in the long version. */
const EVENTS = LONG ? 6_000 : 2_600;
const EVENT_BYTES = 1_200;
/** Steps that come once for each file. */
const PER_FILE: readonly string[] = ['slice-started', 'slice-staged', 'slice-recorded', 'published-one'];

interface Case {
  readonly step: string;
  readonly occurrence: number;
  readonly kind: Place['kind'];
  readonly format: keyof typeof FORMATS;
}

const FORMATS = {
  lines: { file_format: 'JSONLines' },
  gzip: { file_format: 'JSONLines', compression: 'gzip' },
  parquet: { file_format: 'Parquet', compression: 'zstd' },
} as const;
const KINDS = ['Filesystem', 'S3Compatible'] as const;

/**
 * Every step, at one of the destinations in turn. Long: everything at both, in three formats, and the later occurrences, which
 * fall into other files and intervals.
 */
function cases(): Case[] {
  return [...RUN_STEPS, ...STEPS].flatMap((step, index) => {
    const perFile = PER_FILE.includes(step);
    if (!LONG) {
      const kind = KINDS[index % KINDS.length] ?? 'Filesystem';
      return [{ step, occurrence: perFile ? 2 : 1, kind, format: 'lines' }];
    }
    const occurrences = perFile ? [1, 2, 3, 4] : [1, 2];
    const formats = Object.keys(FORMATS) as (keyof typeof FORMATS)[];
    return occurrences.flatMap((occurrence) =>
      KINDS.flatMap((kind) => formats.map((format) => ({ step, occurrence, kind, format }))),
    );
  });
}

describe('killed at a named step', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-steps-'));
  const pointFile = join(dataDir, 'crash-at');
  const random = seeded(1);
  const events = makeEvents(EVENTS, range, EVENT_BYTES, random);
  const env = { SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${pointFile}` };
  const recoveries: number[] = [];
  const sent: SentEvent[] = [];
  let sluice: RunningSluice;
  let bucket: BucketPlace;
  const place = (kind: Place['kind']) =>
    kind === 'Filesystem' ? filesystem(join(dataDir, 'exports')) : bucket;

  beforeAll(async () => {
    sluice = await startSluice({ dataDir, env });
    bucket = await openBucketPlace(sluice);
    await send(sluice.ready, events);
  });
  afterAll(async () => {
    await sluice?.kill();
    await bucket?.close();
    rmSync(dataDir, { recursive: true, force: true });
    const longest = Math.max(0, ...recoveries);
    process.stdout.write(`killed at ${recoveries.length} points; longest recovery ${longest} ms\n`);
  });

  /** Lets the server die at the point that `during` leads to, and starts it again. */
  async function crash(point: string, during: () => Promise<unknown>): Promise<void> {
    writeFileSync(pointFile, point);
    const died = once(sluice.process, 'exit');
    await during();
    const [, signal] = await died;
    expect(signal).toBe('SIGKILL');
    rmSync(pointFile);
    sluice = await startSluice({ dataDir, env });
  }

  it.each(cases())('$step:$occurrence, $kind, $format', async ({ step, occurrence, kind, format }) => {
    const prefix = `${step}-${occurrence}-${format}`;
    const destination = place(kind).destination(prefix, { ...FORMATS[format], max_file_size_mb: 1 });
    const id = await createExport(sluice, destination);
    await crash(`${step}:${occurrence}`, () => startBackfill(sluice, id, range));
    const restarted = Date.now();
    const runs = await untilEnded(sluice, id, RECOVERY_MS);
    recoveries.push(Date.now() - restarted);
    expect(runs).toHaveLength(2);
    const uuids = events.map(({ uuid }) => uuid);
    await expectDelivered(place(kind), prefix, runs, uuids);
  });

  it.each(INSERT_STEPS)('%s: what was not acknowledged and is sent again is there once', async (step) => {
    const hour: Range = { start: new Date(yesterday + 5 * HOUR), end: new Date(yesterday + 6 * HOUR) };
    const known: SentEvent[] = makeEvents(200, hour, 100, random);
    const unsure: SentEvent[] = makeEvents(200, hour, 100, random);
    await send(sluice.ready, known);
    await crash(step, () => expect(send(sluice.ready, unsure)).rejects.toThrow());
    await send(sluice.ready, unsure);
    sent.push(...known, ...unsure);
    const target = place('Filesystem');
    const id = await createExport(sluice, target.destination(step, { max_file_size_mb: 1 }));
    await startBackfill(sluice, id, hour);
    await untilEnded(sluice, id);
    const runs = await runsOf(sluice, id);
    await expectDelivered(
      target,
      step,
      runs,
      sent.map(({ uuid }) => uuid),
    );
  });
});
