import type { ReadBack } from './reader.ts';

/** What the tour reads of a run. */
export interface TourRun {
  /** Null = a run of the schedule: the demo may see an hour end. */
  readonly backfill: string | null;
  readonly data_interval_start: string;
  readonly status: string;
  readonly records_completed: number | null;
  readonly records_total_count: number | null;
  readonly bytes_exported: number | null;
  readonly latest_error: string | null;
}

export const isUnderWay = ({ status }: { status: string }): boolean =>
  status === 'Starting' || status === 'Running';

const HOUR_MS = 3_600_000;

/**
 * What did not add up of `count` events of the day before `end`. A backfill begins at the hour of the first event: few
 * events may leave the first hours empty, and those have no run.
 */
export function problemsOf(
  count: number,
  end: Date,
  runs: readonly TourRun[],
  read: Pick<ReadBack, 'rows' | 'distinctUuids'>,
): string[] {
  const sum = (key: 'records_completed' | 'records_total_count') =>
    runs.reduce((total, run) => total + (run[key] ?? 0), 0);
  const ofDay = runs.filter((run) => run.backfill !== null);
  const first = Math.min(...ofDay.map((run) => Date.parse(run.data_interval_start)));
  const hours = ofDay.length === 0 ? 1 : (end.getTime() - first) / HOUR_MS;
  const counts: [number, string][] = [
    [sum('records_total_count'), 'rows counted at the source'],
    [sum('records_completed'), 'rows exported'],
    [read.rows, 'rows read back'],
    [read.distinctUuids, 'different events read back'],
  ];
  return [
    ...(ofDay.length === hours ? [] : [`${ofDay.length} runs instead of ${hours}`]),
    ...runs
      .filter((run) => run.status !== 'Completed')
      .map((run) =>
        isUnderWay(run)
          ? `a run does not end: ${run.latest_error ?? 'it does not say why'}`
          : `a run is ${run.status}: ${run.latest_error}`,
      ),
    ...counts
      .filter(([found]) => found !== count)
      .map(([found, words]) => `${found} ${words}, expected ${count} events`),
  ];
}
