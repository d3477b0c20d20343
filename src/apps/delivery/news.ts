import { ARRIVAL } from '../../export/models/events.ts';
import type { Warehouse } from '../../warehouse/warehouse.ts';

/**
 * Which of these projects have events that arrived in `[from, to)`, microseconds since the epoch. One query for all apps, so
 * that those without anything to do cost nothing.
 */
export async function teamsWithNews(
  warehouse: Pick<Warehouse, 'rows'>,
  teams: readonly number[],
  from: number,
  to: number,
): Promise<ReadonlySet<number>> {
  const [low, high] = ['from', 'to'].map((name) => `fromUnixTimestamp64Micro({${name}:Int64}, 'UTC')`);
  const rows = await warehouse.rows<{ team: string }>({
    sql: `SELECT DISTINCT team_id AS team FROM events
          WHERE team_id IN {teams:Array(Int64)} AND ${ARRIVAL} >= ${low} AND ${ARRIVAL} < ${high}
            AND (inserted_at IS NULL OR (inserted_at >= ${low} AND inserted_at < ${high}))`,
    params: { teams, from, to },
  });
  return new Set(rows.map(({ team }) => Number(team)));
}
