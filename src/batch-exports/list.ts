import { type RawBuilder, sql } from 'kysely';
import { FILE_DOWNLOAD } from '../export/destinations/file-download.ts';
import { portionsOf } from '../work/portions.ts';
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

/** A page of so many, which is what clients ask for, is read with one statement. */
const SHORT = 100;
/** Of a longer page so many are read at a time: each portion's statement is what somebody else's has to wait for. */
const PORTION = 25;

/**
 * A page of the exports of some projects as the API shows them, newest first; without deleted ones and the internal types
 * (contract.md §4.2). `count` is that of all pages. However large a page is, others get their turn while it is put together.
 */
export async function listExports(
  db: Db,
  teamIds: readonly number[],
  { limit, offset }: Window,
): Promise<{ count: number; items: ShownExport[] }> {
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
  const presenting = limit > SHORT ? inPortions(db, sql`${page}`) : readExports(db, sql`${page}`);
  // After the page: the embedded database does one thing at a time, and counts while the page is put together.
  const counting = listed.select((eb) => eb.fn.countAll<number>().as('count')).executeTakeFirstOrThrow();
  const [items, { count }] = await Promise.all([presenting, counting]);
  return { count: Number(count), items };
}

type ShownExport = ReturnType<typeof presentExport>;

/** Which exports are on the page is decided at once. */
async function inPortions(db: Db, page: RawBuilder<unknown>): Promise<ShownExport[]> {
  const { rows } = await sql<{ keys: readonly (readonly [createdAt: string, id: string])[] | null }>`
    select json_agg(json_build_array(created_at, id)) as keys from (${page}) as page`.execute(db);
  const keys = rows[0]?.keys ?? [];
  const items: ShownExport[] = [];
  for await (const portion of portionsOf(keys, PORTION)) {
    const page = sql`select (key ->> 0)::timestamptz as created_at, (key ->> 1)::uuid as id
      from json_array_elements(${JSON.stringify(portion)}::text::json) as key`;
    items.push(...(await readExports(db, page)));
  }
  return items;
}

/** The exports of a page, which is a query for `created_at` and `id`. */
async function readExports(db: Db, page: RawBuilder<unknown>): Promise<ShownExport[]> {
  const { rows } = await sql<ListedRow>`
    select ${EXPORT.from('export')} as export, ${latestRunsOf(sql.ref('export.id'))} as runs
    from (${page}) as page cross join lateral (select * from batch_exports where id = page.id limit 1) as export
    order by page.created_at desc, page.id desc`.execute(db);
  return rows.map((row) => presentExport(EXPORT.read(row.export), readLatestRuns(row.runs)));
}
