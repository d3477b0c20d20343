import type { Region } from '../database/tables.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import { ARRIVAL } from './models/events.ts';
import { inRegions } from './models/regions.ts';

/** Which of these projects have any event at all in `region`; one query, whatever their number. */
export async function teamsWithEvents(
  warehouse: Warehouse,
  teams: readonly number[],
  region: Region,
): Promise<ReadonlySet<number>> {
  const { sql, params } = inRegions({ arrival: ARRIVAL, event: 'timestamp' }, region, []);
  const rows = await warehouse.rows<{ team: string | number }>({
    sql: `SELECT DISTINCT team_id AS team FROM events WHERE team_id IN {teams:Array(Int64)} AND ${sql}`,
    params: { ...params, teams },
  });
  return new Set(rows.map(({ team }) => Number(team)));
}
