import { sql } from 'kysely';
import type { BackfillRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { type CursorFetch, cursorPage, readOrdering } from '../../http/cursor.ts';
import { after, type Columns, fromTheBeginning, orderBy } from '../keyset.ts';
import type { Db, RunPorts } from '../ports.ts';
import { presentBackfill } from '../present.ts';
import { scheduleOf } from '../schedule/schedule.ts';
import { readId } from '../store.ts';
import type { RunCounts } from './progress.ts';

const PAGE = 50;
const FIELDS = ['created_at', 'start_at'] as const;
const COLUMNS: Columns = {
  created_at: sql.ref('created_at'),
  start_at: fromTheBeginning('start_at'),
  id: sql.ref('id'),
};

type Ports = Pick<RunPorts, 'db' | 'clock'>;

/** contract.md §8.2: no date window; an export that is unknown or another project's has none. */
export async function listBackfills(
  ports: Ports,
  teamId: number,
  exportId: string,
  ordering: string | undefined,
  url: URL,
) {
  const keys = readOrdering(ordering, FIELDS);
  const fetch = async (wanted: CursorFetch): Promise<BackfillRow[]> => {
    let rows = ports.db
      .selectFrom('batch_export_backfills')
      .selectAll()
      .where('team_id', '=', teamId)
      .where('batch_export_id', '=', exportId)
      .orderBy(orderBy(wanted.keys, COLUMNS))
      .limit(wanted.limit);
    if (wanted.after) rows = rows.where(after(wanted.keys, COLUMNS, wanted.after));
    return rows.execute();
  };
  const position = (row: BackfillRow) =>
    keys.map(({ field }) => (field === 'id' ? row.id : (row[field]?.getTime() ?? null)));
  const page = await cursorPage<BackfillRow, string>({ url, pageSize: PAGE, keys, fetch, position });
  return { ...page, results: await present(ports, page.results) };
}

export async function retrieveBackfill(
  ports: Ports,
  teamId: number,
  params: Readonly<Record<string, string>>,
) {
  const row = await ports.db
    .selectFrom('batch_export_backfills')
    .selectAll()
    .where('id', '=', readId(params.id))
    .where('batch_export_id', '=', readId(params.batch_export_id))
    .where('team_id', '=', teamId)
    .executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  const [shown] = await present(ports, [row]);
  return shown;
}

/** All rows are of one export. */
async function present(ports: Ports, rows: readonly BackfillRow[]) {
  const [first] = rows;
  if (!first) return [];
  const batchExport = await ports.db
    .selectFrom('batch_exports')
    .select(['id', 'interval', 'timezone', 'interval_offset', 'start_at', 'end_at'])
    .where('id', '=', first.batch_export_id)
    .executeTakeFirstOrThrow();
  const counts = await countRuns(
    ports.db,
    rows.map((row) => row.id),
  );
  const now = ports.clock.now();
  const none: RunCounts = { total: 0, finished: 0 };
  const cadence = scheduleOf(batchExport);
  return rows.map((row) => presentBackfill(row, cadence, counts.get(row.id) ?? none, now));
}

async function countRuns(db: Db, backfillIds: readonly string[]): Promise<Map<string, RunCounts>> {
  const rows = await db
    .selectFrom('batch_export_runs')
    .select((eb) => [
      'backfill_id',
      eb.fn.countAll<number>().as('total'),
      eb.fn.countAll<number>().filterWhere('status', 'in', ['Completed', 'Failed']).as('finished'),
    ])
    .where('backfill_id', 'in', [...backfillIds])
    .groupBy('backfill_id')
    .execute();
  return new Map(
    rows.map((row) => [
      String(row.backfill_id),
      { total: Number(row.total), finished: Number(row.finished) },
    ]),
  );
}
