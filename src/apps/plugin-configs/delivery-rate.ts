import type { Warehouse } from '../../warehouse/warehouse.ts';

const DAY_MS = 86_400_000;

/**
 * The share of deliveries of the last 24 hours that succeeded, by plugin config; those without any are absent and count as 1
 * (contract.md §12). `now` in milliseconds since the epoch. Throws the warehouse's errors.
 */
export async function deliveryRates(
  warehouse: Pick<Warehouse, 'rows'>,
  teamId: number,
  ids: readonly number[],
  now: number,
): Promise<Map<number, number>> {
  if (ids.length === 0) return new Map();
  const rows = await warehouse.rows<{ id: string; rate: number | null }>({
    sql: `SELECT plugin_config_id AS id,
            sum(successes + successes_on_retry) / sum(successes + successes_on_retry + failures) AS rate
          FROM app_metrics
          WHERE team_id = {team:Int64} AND plugin_config_id IN {ids:Array(Int64)}
            AND timestamp >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
            AND timestamp <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
          GROUP BY id`,
    params: { team: teamId, ids, since: now - DAY_MS, now },
  });
  // 0/0, rows that count nothing, is no number and arrives as null.
  return new Map(rows.map((row) => [Number(row.id), row.rate ?? 1]));
}
