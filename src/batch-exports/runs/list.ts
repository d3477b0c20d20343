import { sql } from 'kysely';
import { type Static, Type } from 'typebox';
import { type CursorFetch, cursorPage, cursorQuery, readOrdering } from '../../http/cursor.ts';
import { resolveDate } from '../../http/dates.ts';
import type { Project } from '../../http/endpoint.ts';
import { after, type Columns, fromTheBeginning, orderBy } from '../keyset.ts';
import type { RunPorts } from '../ports.ts';
import { presentRun } from '../present.ts';
import { RUN_STATUSES } from './machine.ts';
import { SHOWN_RUN, type ShownRun } from './shown.ts';

const PAGE = 100;
const FIELDS = ['created_at', 'data_interval_start'] as const;
const COLUMNS: Columns = {
  created_at: sql.ref('created_at'),
  data_interval_start: fromTheBeginning('data_interval_start'),
  id: sql.ref('id'),
};
/** Where the window leaves out runs without a start: the bare column has an index in its order. */
const BY_INTERVAL: Columns = { ...COLUMNS, data_interval_start: sql.ref('data_interval_start') };

const date = (description: string) => Type.Optional(Type.String({ description }));

/** contract.md §7.2; dates by the grammar of §2. */
export const runsQuery = Type.Object({
  ...cursorQuery,
  status: Type.Optional(Type.Array(Type.Union(RUN_STATUSES.map((status) => Type.Literal(status))))),
  after: date('Runs created since; default -7d.'),
  before: date('Runs created until; default now.'),
  start: date('When ordered by data_interval_start: intervals that begin since; default -7d.'),
  end: date('When ordered by data_interval_start: intervals that end until; default now.'),
});

/** A page of an export's runs, deleted exports' too; an unknown export has none. */
export function listRuns(
  ports: Pick<RunPorts, 'db' | 'clock'>,
  project: Project,
  exportId: string,
  query: Static<typeof runsQuery>,
  url: URL,
) {
  const keys = readOrdering(query.ordering, FIELDS);
  const byInterval = /^-?data_interval_start$/.test(query.ordering?.trim() ?? '');
  const resolve = (text: string | undefined, otherwise: string) =>
    new Date(
      resolveDate(text || otherwise, { now: ports.clock.now(), zone: project.timezone }).epochMilliseconds,
    );
  const window = byInterval
    ? { from: resolve(query.start, '-7d'), to: resolve(query.end, NOW) }
    : { from: resolve(query.after, '-7d'), to: resolve(query.before, NOW) };

  const columns = byInterval ? BY_INTERVAL : COLUMNS;
  const fetch = async (wanted: CursorFetch): Promise<ShownRun[]> => {
    let rows = ports.db
      .selectFrom('batch_export_runs')
      .select(SHOWN_RUN)
      .where('team_id', '=', project.id)
      .where('batch_export_id', '=', exportId)
      .where(byInterval ? 'data_interval_start' : 'created_at', '>=', window.from)
      .where(byInterval ? 'data_interval_end' : 'created_at', '<=', window.to)
      .orderBy(orderBy(wanted.keys, columns))
      .limit(wanted.limit);
    if (query.status?.length) rows = rows.where('status', 'in', query.status);
    if (wanted.after) rows = rows.where(after(wanted.keys, columns, wanted.after));
    return rows.execute();
  };

  return cursorPage<ShownRun, string>({
    url,
    pageSize: PAGE,
    keys,
    fetch,
    position: (row) => keys.map((key) => positionOf(row, key.field)),
  }).then((page) => ({ ...page, results: page.results.map(presentRun) }));
}

/** Text that is no date means now (contract.md §2). */
const NOW = 'now';

function positionOf(row: ShownRun, field: string): number | string | null {
  if (field === 'id') return row.id;
  const at = field === 'created_at' ? row.created_at : row.data_interval_start;
  return at?.getTime() ?? null;
}
