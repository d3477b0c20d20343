import { sql } from 'kysely';
import type { BatchExportRow } from '../../database/tables.ts';
import { appendLog } from '../logs.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { cursorColumns } from './change.ts';
import { firstCursor, scheduleOf } from './schedule.ts';

type Ports = Pick<RunPorts, 'db' | 'clock' | 'jitterScale'>;

/** Up to here, new events are stamped after everything that runs have read (newest-read.ts). */
const DAY_MS = 86_400_000;

/**
 * At a start, after a clock that was more than a day ahead is set right: intervals yet to come have runs that found nothing,
 * and what arrives in them from now on would never be exported. Those runs are removed, the cursor goes back to the first of
 * them, and the export's log says so. Returns how many runs were removed.
 *
 * A clock that is wrong now (and was right) looks the same. So nothing is removed that could not be made again: only empty
 * runs, only as far as they follow each other up to the cursor (a pause leaves a gap that must stay one), and of no
 * export that is younger than the clock says (a machine that starts in 1970).
 */
export async function setSchedulesRight(ports: Ports): Promise<number> {
  const now = ports.clock.now();
  const ahead = await ports.db
    .selectFrom('batch_exports')
    .select('id')
    .where('deleted_at', 'is', null)
    .where('created_at', '<=', new Date(now))
    .where('next_interval_start', '>', new Date(now + DAY_MS))
    .execute();
  let removed = 0;
  for (const { id } of ahead) {
    removed += await ports.db.transaction().execute((trx) => setRight(trx, ports, id, now));
  }
  return removed;
}

async function setRight(trx: Trx, ports: Ports, exportId: string, now: number): Promise<number> {
  const row = await trx
    .selectFrom('batch_exports')
    .selectAll()
    .where('id', '=', exportId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const gone = await removeEmpty(trx, row, now);
  if (!gone.from || !gone.until) return 0;
  const first = firstCursor(scheduleOf(row), gone.from.getTime());
  const cursor = Math.min(row.next_interval_start.getTime(), first);
  await trx
    .updateTable('batch_exports')
    .set(cursorColumns(row, cursor, ports.jitterScale))
    .where('id', '=', exportId)
    .execute();
  const message =
    `The clock was ahead: ${gone.runs} empty runs of intervals that have not ended (${gone.from.toISOString()} to ` +
    `${gone.until.toISOString()}) are removed, and the schedule goes on from there.`;
  const line = { teamId: row.team_id, exportId, runId: null, level: 'WARNING' as const, message };
  await appendLog(trx, [line], now);
  return gone.runs;
}

interface Gone {
  readonly runs: number;
  /** Null = none. */
  readonly from: Date | null;
  readonly until: Date | null;
}

/** Of the live runs that follow each other up to the cursor and end after `now`, the empty ones that nobody repeats. */
async function removeEmpty(
  trx: Trx,
  { id, next_interval_start: cursor }: BatchExportRow,
  now: number,
): Promise<Gone> {
  const { rows } = await sql<Gone>`
    with coming as (
      select data_interval_start as start, data_interval_end as until,
             lag(data_interval_end) over (order by data_interval_end) as before
        from batch_export_runs
       where batch_export_id = ${id} and backfill_id is null and data_interval_end > ${new Date(now)}::timestamptz),
    tail as (
      select max(start) filter (where before is distinct from start) as start, max(until) as until from coming),
    gone as (
      delete from batch_export_runs run using tail
       where run.batch_export_id = ${id} and run.backfill_id is null
         and run.data_interval_end > ${new Date(now)}::timestamptz and run.data_interval_start >= tail.start
         and tail.until >= ${cursor}::timestamptz
         and run.status = 'Completed' and run.records_completed = 0
         and not exists (select from batch_export_backfills where retry_of = run.id)
      returning run.data_interval_start as start, run.data_interval_end as until)
    select count(*)::integer as runs, min(start) as "from", max(until) as until from gone`.execute(trx);
  return rows[0] ?? { runs: 0, from: null, until: null };
}
