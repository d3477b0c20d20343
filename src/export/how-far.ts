import type { Warehouse } from '../warehouse/warehouse.ts';

interface RunningQuery {
  readonly query_id: string;
  readonly kind: string;
  readonly read_rows: string | number;
  readonly total_rows_approx: string | number;
  readonly written_rows: string | number;
}

/**
 * How many of a run's `total` rows each of its queries that write files (`encodeQuery`) has taken so far, by the query's id: of
 * those that are at work, and of a file in the making, too. What the engine writes itself is counted by it; of bytes that pass
 * through Node the share of the rows read stands for that of the rows written. What is still to be compressed counts as taken.
 */
export async function takenSoFar(
  warehouse: Pick<Warehouse, 'rows'>,
  run: { readonly id: string; readonly total: number },
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const rows = await warehouse.rows<RunningQuery>({
    sql: `SELECT query_id, toString(query_kind) AS kind, read_rows, total_rows_approx, written_rows
          FROM system.processes WHERE startsWith(query_id, {run:String})`,
    params: { run: `${run.id}-` },
    ...(signal && { signal }),
  });
  return new Map(
    rows.flatMap((query) => {
      const share = shareOf(query.query_id);
      return share === null ? [] : [[query.query_id, taken(query, share * run.total)]];
    }),
  );
}

function taken(query: RunningQuery, expected: number): number {
  if (query.kind === 'Insert') return Number(query.written_rows);
  const read = Number(query.read_rows);
  return Math.floor((expected * read) / Math.max(1, read, Number(query.total_rows_approx)));
}

/** Of all rows, about the share that the query with this id is about, slices being alike; null = it writes no file. */
export function shareOf(queryId: string): number | null {
  const [, parts = '', of] = /-(\d+(?:\.\d+)*)-of-(\d+)$/.exec(queryId) ?? [];
  return of === undefined ? null : parts.split('.').length / Number(of);
}
