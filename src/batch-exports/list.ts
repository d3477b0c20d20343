import { sql } from 'kysely';
import { FILE_DOWNLOAD } from '../export/destinations/file-download.ts';
import { type PackedRow, packing } from './packed.ts';
import type { Db } from './ports.ts';
import { type PresentedExport, presentExport } from './present.ts';
import { latestRunsOf, readLatestRuns } from './runs/latest.ts';

const EXPORT = packing<PresentedExport>(
  [
    'id',
    'team_id',
    'name',
    'model',
    'destination_type',
    'destination_config',
    'integration_id',
    'interval',
    'interval_offset',
    'timezone',
    'paused',
    'filters',
    'hogql_query',
    'hogql_modifiers',
    'primary_key',
    'version_key',
    'incremental_mode',
    'start_at',
    'end_at',
    'last_paused_at',
    'created_at',
    'last_updated_at',
  ],
  ['start_at', 'end_at', 'last_paused_at', 'created_at', 'last_updated_at'],
);

interface Window {
  readonly limit: number;
  readonly offset: number;
}

interface ListedRow {
  readonly export: PackedRow;
  readonly runs: readonly PackedRow[] | null;
}

/**
 * A page of the exports of some projects as the API shows them, newest first; without deleted ones and the internal types
 * (contract.md §4.2). `count` is that of all pages.
 */
export async function listExports(
  db: Db,
  teamIds: readonly number[],
  { limit, offset }: Window,
): Promise<{ count: number; items: ReturnType<typeof presentExport>[] }> {
  if (teamIds.length === 0) return { count: 0, items: [] };
  const listed = db
    .selectFrom('batch_exports')
    .where('team_id', 'in', [...teamIds])
    .where('deleted_at', 'is', null)
    // In letters, as the index `batch_exports_listed` has it.
    .where(sql<boolean>`destination_type not in ('Workflows', ${sql.lit(FILE_DOWNLOAD)})`);
  // Their keys alone, from the index: the pages before would cost a look at each of their rows.
  const page = listed
    .select(['created_at', 'id'])
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .offset(offset);
  const reading = sql<ListedRow>`
    select ${EXPORT.from('export')} as export, ${latestRunsOf(sql.ref('export.id'))} as runs
    from (${page}) as page cross join lateral (select * from batch_exports where id = page.id limit 1) as export
    order by page.created_at desc, page.id desc`.execute(db);
  const presenting = reading.then(({ rows }) =>
    rows.map((row) => presentExport(EXPORT.read(row.export), readLatestRuns(row.runs))),
  );
  // After the page: the embedded database does one thing at a time, and counts while the page is put together.
  const counting = listed.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  const [items, { count }] = await Promise.all([presenting, counting]);
  return { count: Number(count), items };
}
