import { join } from 'node:path';
import { PostHog } from 'posthog-node';
import type { Clock } from '../work/clock.ts';
import { type ApiClient, apiClient } from './client.ts';
import { demoEvents } from './events.ts';
import { type ReadBack, readBack } from './reader.ts';
import { untilEnded } from './until-ended.ts';
import { problemsOf, type TourRun } from './verdict.ts';

export interface TourOptions {
  /** The server, as `--ready-json` describes it. */
  readonly ready: {
    readonly url: string;
    readonly project_id: number;
    readonly project_api_key: string;
    readonly personal_api_key: string;
  };
  readonly filesRoot: string;
  readonly count: number;
  readonly seed: number;
  readonly clock: Clock;
  /** A bar for each of the two long parts. */
  readonly progress: (label: string, total: number) => { update(done: number): void; end(): void };
  /** Told once of each thing that runs under way fail with. */
  readonly onTrouble: (error: string) => void;
  /** How long to wait for runs while nothing changes, milliseconds; null = for ever. */
  readonly patienceMs: number | null;
}

export interface TourResult {
  readonly sent: number;
  readonly captureSeconds: number;
  readonly exportSeconds: number;
  readonly runs: readonly TourRun[];
  readonly folder: string;
  readonly read: ReadBack;
  /** What did not add up; empty = everything did. */
  readonly problems: readonly string[];
}

const DAY_MS = 86_400_000;
/** A day of hours. */
const RUNS = 24;

/** Captures yesterday with the real client, exports it by the hour, and reads the files back. */
export async function takeTour(options: TourOptions): Promise<TourResult> {
  const end = Math.floor(options.clock.now() / DAY_MS) * DAY_MS;
  const day = { start: new Date(end - DAY_MS), end: new Date(end) };
  const capturing = options.clock.now();
  await captureDay(options, day);
  const exporting = options.clock.now();
  const api = apiClient(options.ready.url, options.ready.personal_api_key);
  const runs = await exportDay(api, options, day);
  const finished = options.clock.now();
  const folder = join(options.filesRoot, 'demo');
  const failed = runs.filter((run) => run.status !== 'Completed');
  const read = failed.length > 0 ? NOTHING : await readBack(`${folder}/**/*.parquet`, 8);
  return {
    sent: options.count,
    captureSeconds: (exporting - capturing) / 1000,
    exportSeconds: (finished - exporting) / 1000,
    runs,
    folder,
    read,
    problems: problemsOf(options.count, day.end, runs, read),
  };
}

const NOTHING: ReadBack = { rows: 0, distinctUuids: 0, files: 0, sample: [] };

interface Day {
  readonly start: Date;
  readonly end: Date;
}

/** The client drops what does not fit its queue, so it is emptied after each portion. */
const PORTION = 2_000;

async function captureDay({ ready, count, seed, progress }: TourOptions, day: Day): Promise<void> {
  const client = new PostHog(ready.project_api_key, {
    host: ready.url,
    flushAt: 500,
    maxQueueSize: PORTION * 2,
    // What the demo sends is history; no flags are asked for.
    historicalMigration: true,
  });
  const failures: unknown[] = [];
  client.on('error', (error) => failures.push(error));
  const bar = progress('capture', count);
  const events = demoEvents({ seed, ...day, count });
  for (let at = 0; at < events.length; at += PORTION) {
    for (const event of events.slice(at, at + PORTION)) client.capture(event);
    await client.flush();
    bar.update(Math.min(count, at + PORTION));
  }
  await client.shutdown();
  bar.end();
  if (failures.length > 0) throw new Error(`The client could not send its events: ${String(failures[0])}`);
}

async function exportDay(api: ApiClient, options: TourOptions, day: Day): Promise<readonly TourRun[]> {
  const project = `/api/projects/${options.ready.project_id}`;
  const { id } = await api.post<{ id: string }>(`${project}/batch_exports/`, {
    name: 'Demo: yesterday, by the hour',
    model: 'events',
    interval: 'hour',
    destination: {
      type: 'Filesystem',
      config: {
        prefix: 'demo/{year}-{month}-{day}',
        file_format: 'Parquet',
        compression: 'zstd',
      },
    },
  });
  const base = `${project}/batch_exports/${id}`;
  const { backfill_id: backfillId } = await api.post<{ backfill_id: string }>(`${base}/backfills/`, {
    start_at: day.start.toISOString(),
    end_at: day.end.toISOString(),
  });
  const bar = options.progress('export', RUNS);
  const { clock, onTrouble, patienceMs } = options;
  const onEnded = (runs: number) => bar.update(runs);
  try {
    return await untilEnded(api, base, backfillId, { clock, onEnded, onTrouble, patienceMs });
  } finally {
    bar.end();
  }
}
