import { sql } from 'kysely';
import type { Db } from '../ports.ts';

export interface DailyOutcomes {
  /** UTC, `YYYY-MM-DD`. */
  readonly day: string;
  readonly successes: number;
  readonly failures: number;
}

/**
 * How an export's runs last updated within both bounds ended, by UTC day, ascending, days without runs left out (contract.md
 * §11.1a). A deleted export's too. Null when the project has no such export.
 */
export async function dailyOutcomes(
  db: Db,
  teamId: number,
  exportId: string,
  range: { readonly from: Date; readonly to: Date },
): Promise<DailyOutcomes[] | null> {
  const known = await db
    .selectFrom('batch_exports')
    .select('id')
    .where('id', '=', exportId)
    .where('team_id', '=', teamId)
    .executeTakeFirst();
  if (!known) return null;
  const day = sql<string>`to_char(last_updated_at at time zone 'UTC', 'YYYY-MM-DD')`;
  const rows = await db
    .selectFrom('batch_export_runs')
    .select([
      day.as('day'),
      sql<number>`count(*) filter (where status = 'Completed')`.as('successes'),
      sql<number>`count(*) filter (where status <> 'Completed')`.as('failures'),
    ])
    .where('team_id', '=', teamId)
    .where('batch_export_id', '=', exportId)
    .where('status', 'in', ['Completed', 'Failed', 'FailedRetryable'])
    .where('last_updated_at', '>=', range.from)
    .where('last_updated_at', '<=', range.to)
    .groupBy(day)
    .orderBy('day')
    .execute();
  return rows.map((row) => ({ ...row, successes: Number(row.successes), failures: Number(row.failures) }));
}
