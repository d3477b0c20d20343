import { SluiceError } from '../../../errors/error.ts';
import type { Warehouse } from '../../../warehouse/warehouse.ts';
import { refuseQuery } from './ast.ts';
import type { Query } from './check.ts';
import { printQuery } from './print/print.ts';
import { createTurns, type Turns } from './turns.ts';

export interface CountOf {
  readonly teamId: number;
  /** IANA name; days of the query begin in it. */
  readonly timezone: string;
  /** Milliseconds since the epoch; null = the query does not use it. */
  readonly start: number | null;
  readonly end: number | null;
}

export interface CountLimits {
  readonly seconds: number;
  /** Bytes. */
  readonly memory: number;
  /** Rows that may be read. */
  readonly rows: number;
  /** Counts at once: what they take, exports lack. */
  readonly atOnce: Turns;
}

export type RowCounter = (query: Query, of: CountOf, signal?: AbortSignal) => Promise<number>;

const LIMITS: CountLimits = {
  seconds: 30,
  memory: 1_000_000_000,
  rows: 20_000_000_000,
  atOnce: { all: 4, each: 1 },
};

/** The connection may be slower to end a query than the engine itself. */
const GRACE_MS = 5_000;

/**
 * Counts the rows that a query has over the events of one project (contract.md §9, `count_rows`). The query may only read.
 * Throws `timeout_exceeded`, `throttled`, and `invalid_input` at hogql_query for what cannot be printed or what
 * ClickHouse refuses.
 */
export function createRowCounter(
  warehouse: Pick<Warehouse, 'rows'>,
  limits: CountLimits = LIMITS,
): RowCounter {
  const turn = createTurns(limits.atOnce, 'being counted');
  return async (query, of, signal) => {
    using _ = turn(of.teamId);
    return await countRows(warehouse, query, of, signal, limits);
  };
}

async function countRows(
  warehouse: Pick<Warehouse, 'rows'>,
  query: Query,
  { teamId, timezone, start, end }: CountOf,
  signal: AbortSignal | undefined,
  limits: CountLimits,
): Promise<number> {
  const { sql, params } = printQuery(query.tree, timezone);
  const late = AbortSignal.timeout(Math.ceil(limits.seconds * 1000) + GRACE_MS);
  try {
    const [row] = await warehouse.rows<{ count: string }>({
      sql: `SELECT count() AS count FROM (${sql})`,
      params: { ...params, team_id: teamId, data_interval_start: start ?? 0, data_interval_end: end ?? 0 },
      settings: {
        readonly: 2,
        // Nothing of the query comes before the project's own condition (`ownEvents`).
        optimize_move_to_prewhere: 0,
        // For what the text does not say a zone of: a date that becomes a time, for instance.
        session_timezone: timezone,
        max_execution_time: limits.seconds,
        timeout_overflow_mode: 'throw',
        max_memory_usage: limits.memory,
        max_rows_to_read: limits.rows,
        read_overflow_mode: 'throw',
        max_query_size: 1_048_576,
        // A failure is then a status, which carries ClickHouse's code.
        wait_end_of_query: 1,
        log_comment: JSON.stringify({ product: 'batch_export', team_id: teamId, purpose: 'count_rows' }),
      },
      signal: signal ? AbortSignal.any([signal, late]) : late,
    });
    return Number(row?.count ?? 0);
  } catch (error) {
    throw explain(error, late.aborted, limits);
  }
}

const TIMEOUT_EXCEEDED = '159';
const ILLEGAL_PREWHERE = '182';
const OVER_A_VIEW =
  'Queries cannot be counted here: `events` is a view, and only a table can keep projects apart in every query.';
/** TOO_MANY_ROWS, CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED. */
const TOO_MUCH = ['158', '173', '241'];

/** What the user can mend is told as theirs; what is the warehouse's own is passed on. */
function explain(error: unknown, late: boolean, { seconds }: CountLimits): unknown {
  if (!(error instanceof SluiceError)) return error;
  const code = String((error.cause as { code?: unknown } | undefined)?.code ?? '');
  if (late || code === TIMEOUT_EXCEEDED) {
    return new SluiceError('timeout_exceeded', { detail: `Counting took longer than ${seconds} seconds.` });
  }
  if (code === ILLEGAL_PREWHERE) return refuseQuery(OVER_A_VIEW);
  if (TOO_MUCH.includes(code)) return refuseQuery('The query reads or keeps too much to be counted.');
  if (error.code !== 'warehouse_query' && error.code !== 'filter_invalid') return error;
  // What follows holds the printed statement, which nobody wrote.
  const [told = ''] = error.message.split(/:? (?:In scope|While executing|while executing)|:? In query/);
  return refuseQuery(told.slice(0, 300));
}
