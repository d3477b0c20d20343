import type { Clock } from '../work/clock.ts';
import type { ApiClient } from './client.ts';
import { isUnderWay, type TourRun } from './verdict.ts';

export interface WaitOptions {
  readonly clock: Clock;
  /** Told how many runs have ended, at each look. */
  readonly onEnded: (runs: number) => void;
  /** Told once of each thing that a run under way fails with. */
  readonly onTrouble: (error: string) => void;
  /** How long to wait while nothing changes, milliseconds; null = for ever. */
  readonly patienceMs: number | null;
}

const POLL_MS = 200;

/**
 * The runs of the export at `base`, the backfill's and the schedule's own, once none is under way any more; or as they are when
 * nothing has changed for too long.
 */
export async function untilEnded(
  api: Pick<ApiClient, 'get'>,
  base: string,
  backfillId: string,
  { clock, onEnded, onTrouble, patienceMs }: WaitOptions,
): Promise<readonly TourRun[]> {
  const told = new Set<string>();
  let changedAt = clock.now();
  let last = '';
  for (;;) {
    const backfill = await api.get<{ status: string }>(`${base}/backfills/${backfillId}/`);
    const { results } = await api.get<{ results: readonly TourRun[] }>(`${base}/runs/`);
    onEnded(results.filter((run) => run.backfill && !isUnderWay(run)).length);
    // Each event is in one run: when an hour ends meanwhile, the schedule's own run may have taken some.
    if (!isUnderWay(backfill) && !results.some(isUnderWay)) return results;
    for (const { latest_error: error } of results.filter(isUnderWay)) {
      if (error !== null && !told.has(error)) onTrouble(error);
      if (error !== null) told.add(error);
    }
    const now = JSON.stringify(results.map(({ status, records_completed: rows }) => [status, rows]));
    if (now !== last) changedAt = clock.now();
    last = now;
    if (patienceMs !== null && clock.now() - changedAt >= patienceMs) return results;
    await clock.sleep(POLL_MS);
  }
}
