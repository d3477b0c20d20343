import { sql } from 'kysely';
import type { RunPorts } from '../ports.ts';
import { ACTIVE_RUN_STATES } from '../runs/machine.ts';
import { advanceBackfill } from './advance.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';

/** Moves on the backfills that wait for room, at most `limit`, those first that have waited longest; for the tick. */
export async function advanceActiveBackfills(ports: RunPorts, limit: number): Promise<string[]> {
  const created: string[] = [];
  for (const { id, exportId } of await movable(ports, limit)) {
    const ids = await ports.db.transaction().execute(async (trx) => {
      const batchExport = await trx
        .selectFrom('batch_exports')
        .selectAll()
        .where('id', '=', exportId)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst();
      return batchExport ? advanceBackfill(trx, ports, batchExport, id, ports.clock.now()) : [];
    });
    created.push(...ids);
  }
  return created;
}

/**
 * Backfills that could do something: one that repeats a run, once that has ended; any other, while its export has room and
 * either an interval is left or all its runs have ended. The rest would stand in front for as long as their runs
 * last, and nobody else would move. Their own runs' ends move them on.
 */
async function movable(
  { db, backfillParallelism }: RunPorts,
  limit: number,
): Promise<readonly { readonly id: string; readonly exportId: string }[]> {
  // Literals, since only they let the planner use the partial indexes.
  const backfillStates = sql.join(ACTIVE_BACKFILL_STATES.map((state) => sql.lit(state)));
  const runStates = sql.join(ACTIVE_RUN_STATES.map((state) => sql.lit(state)));
  const busy = sql`
    select from batch_export_runs run
     where run.batch_export_id = backfill.batch_export_id and run.backfill_id = backfill.id
       and run.status in (${runStates})`;
  const atWork = sql`
    select count(*) from batch_export_runs run
     where run.batch_export_id = backfill.batch_export_id and run.backfill_id is not null
       and run.status in (${runStates})`;
  // As in advance.ts; beyond the last moment it goes by event time, one without an end moves as its runs end.
  const left = sql`
    coalesce(next_interval_start, start_at) is null
    or coalesce(next_interval_start, start_at) < coalesce(case when not by_arrival then end_at end, arrival_before)`;
  const { rows } = await sql<{ id: string; exportId: string }>`
    select id, batch_export_id as "exportId"
      from batch_export_backfills backfill
     where status in (${backfillStates})
       and case when retry_of is not null then not exists (${busy})
                else (${atWork}) < ${backfillParallelism}::bigint and (${left} or not exists (${busy})) end
     order by last_updated_at
     limit ${limit}`.execute(db);
  return rows;
}
