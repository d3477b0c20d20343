import { sql } from 'kysely';
import { teamsWithEvents } from '../../export/any-rows.ts';
import type { Destination } from '../../export/destinations/destination.ts';
import { NO_ROWS } from '../../export/fingerprint.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts } from '../ports.ts';
import { askedRegion } from './regions.ts';
import { isOnDemand, type RunSnapshot } from './snapshot.ts';

export interface EmptyPorts extends Pick<RunPorts, 'db' | 'clock'> {
  readonly warehouse: Warehouse;
  readonly destinations: ReadonlyMap<string, Destination>;
  readonly workerName: string;
  /** Arrival time below which nothing can appear any more, for exports of this interval; asked again up to `wanted`. */
  readonly watermark: (interval: string, wanted: number) => Promise<number>;
}

export interface Looked {
  readonly ended: number;
  /** The newest run looked at, for the next look; null = look at the same ones again. */
  readonly last: string | null;
  /** Whether there may be more. */
  readonly more: boolean;
}

const AT_ONCE = 50;
/** Fewer are done by the workers as quickly. */
const WORTH_IT = 10;

interface Candidate {
  readonly id: string;
  readonly teamId: number;
  readonly exportId: string;
  readonly start: number;
  readonly end: number;
}

/**
 * Ends scheduled runs of projects without a single event in their interval: many at once, each with its claim, plan and
 * completion in one statement. When 10,000 exports are due in the same moment, most have nothing to do, and one by
 * one they would take 20 statements each. Looks at runs after `after`, in the order of their creation; a run that has
 * events, or that anybody touched, is left to the workers.
 */
export async function endEmptyRuns(ports: EmptyPorts, after: string | null): Promise<Looked> {
  const waiting = await ports.db
    .selectFrom('batch_export_runs')
    .select(['id', 'team_id', 'batch_export_id', 'data_interval_start', 'data_interval_end', 'snapshot'])
    .where('status', '=', 'Starting')
    .where('attempt', '=', 0)
    .where('backfill_id', 'is', null)
    .where('id', '>', after ?? '00000000-0000-0000-0000-000000000000')
    .orderBy('id')
    .limit(AT_ONCE)
    .execute();
  if (waiting.length < WORTH_IT) return { ended: 0, last: after, more: false };
  const candidates: Candidate[] = [];
  for (const row of waiting) {
    const snapshot = row.snapshot as unknown as RunSnapshot;
    const end = row.data_interval_end.getTime();
    const start = row.data_interval_start?.getTime();
    // Not readable yet: looked at again, and so is what follows.
    if ((await ports.watermark(snapshot.interval, end)) < end) break;
    // An interval of arrival is the schedule's; downloads go by event time.
    if (start === undefined || isOnDemand(row) || !isPlain(snapshot, ports.destinations)) continue;
    candidates.push({ id: row.id, teamId: row.team_id, exportId: row.batch_export_id, start, end });
  }
  const empty = await withoutEvents(ports.warehouse, candidates);
  const ended = empty.length === 0 ? 0 : await endAll(ports, empty);
  const last = candidates.at(-1)?.id ?? after;
  return { ended, last, more: waiting.length === AT_ONCE && last === waiting.at(-1)?.id };
}

/** What could fail for another reason than its rows is for the workers to find. */
function isPlain(snapshot: RunSnapshot, destinations: EmptyPorts['destinations']): boolean {
  const destination = destinations.get(snapshot.destination.type);
  const openable = (destination?.open ?? null) !== null;
  return snapshot.model === 'events' && openable && (snapshot.filters ?? []).length === 0;
}

async function withoutEvents(
  warehouse: Warehouse,
  candidates: readonly Candidate[],
): Promise<readonly Candidate[]> {
  const windows = Map.groupBy(candidates, ({ start, end }) => `${start}-${end}`);
  const empty: Candidate[] = [];
  for (const runs of windows.values()) {
    const [{ start, end } = { start: 0, end: 0 }] = runs;
    const teams = [...new Set(runs.map(({ teamId }) => teamId))];
    const busy = await teamsWithEvents(warehouse, teams, askedRegion({ by: 'arrival', start, end }));
    empty.push(...runs.filter(({ teamId }) => !busy.has(teamId)));
  }
  return empty;
}

const PROOF = JSON.stringify({ source: NO_ROWS, written: NO_ROWS, reread: NO_ROWS, cleaned: 0 });

/** Under the exports' locks, as every ending; exports in other hands are left out (R6). */
async function endAll(ports: EmptyPorts, runs: readonly Candidate[]): Promise<number> {
  const now = ports.clock.now();
  return ports.db.transaction().execute(async (trx) => {
    const locked = await trx
      .selectFrom('batch_exports')
      .select('id')
      .where('id', 'in', [...new Set(runs.map(({ exportId }) => exportId))])
      .orderBy('id')
      .forUpdate()
      .skipLocked()
      .execute();
    if (locked.length === 0) return 0;
    const ended = await trx
      .updateTable('batch_export_runs')
      .set({
        status: 'Completed',
        attempt: 1,
        worker: ports.workerName,
        region: ASKED,
        excludes: '[]',
        records_completed: 0,
        records_total_count: 0,
        bytes_exported: 0,
        files: '[]',
        proof: PROOF,
        finished_at: new Date(now),
        last_updated_at: new Date(now),
      })
      .where(
        'id',
        'in',
        runs.map(({ id }) => id),
      )
      .where(
        'batch_export_id',
        'in',
        locked.map(({ id }) => id),
      )
      .where('status', '=', 'Starting')
      .where('attempt', '=', 0)
      .returning(['id', 'team_id', 'batch_export_id'])
      .execute();
    const lines = ended.map((run) => ({
      teamId: run.team_id,
      exportId: run.batch_export_id,
      runId: run.id,
      level: 'INFO' as const,
      message: 'Run completed: 0 rows exported. No event arrived in its interval.',
    }));
    await appendLog(trx, lines, now);
    return ended.length;
  });
}

/** The region a live run asks for, from its own row; nothing to leave out, since nothing is there. */
const ASKED = sql<string>`jsonb_build_object(
  'arrivalFrom', (extract(epoch from data_interval_start) * 1000)::bigint,
  'arrivalTo', (extract(epoch from data_interval_end) * 1000)::bigint,
  'eventFrom', null, 'eventTo', null)`;
