import { sql } from 'kysely';
import type { RunRow } from '../../database/tables.ts';
import type { Db, Trx } from '../ports.ts';
import { askOf } from './ask.ts';
import { lockExportOf } from './lock.ts';
import { LONGEST_INTERVAL_MS } from './longest-interval.ts';
import { type Claim, runById } from './store.ts';

/** What a live run appends whose plain name a backfill has: an edit moved the cursor back over the backfill's interval. */
const LIVE = 'live';

/**
 * What to append to the names of a claimed run's files, or undefined for upstream's plain names. The same for all attempts,
 * and for all runs that share the output (R8).
 */
export async function keySuffix(db: Db, claim: Pick<Claim, 'id'>): Promise<string | undefined> {
  const { key_suffix: stored } = await runById(db, claim.id);
  // Null when an earlier version, which may still run beside this one, has planned it.
  const suffix = stored ?? (await db.transaction().execute((trx) => nameAgain(trx, claim.id)));
  return suffix === '' ? undefined : suffix;
}

async function nameAgain(trx: Trx, runId: string): Promise<string> {
  await lockExportOf(trx, runId);
  const run = await runById(trx, runId);
  const { root } = await askOf(trx, run);
  const suffix = await outputSuffix(trx, run, root);
  await trx.updateTable('batch_export_runs').set({ key_suffix: suffix }).where('id', '=', runId).execute();
  return suffix;
}

/**
 * The suffix of the output that `run` writes, '' for none: the one that a run of it has, or a new one, for the caller to store
 * on `run`. `root` is the id of the run that all others of the output repeat. The caller holds the export's lock.
 */
export async function outputSuffix(trx: Trx, run: RunRow, root: string): Promise<string> {
  const named = await namedLike(trx, run);
  const own = named.find((other) => other.root === root);
  if (own) return own.suffix;
  const taken = named.some(({ suffix }) => suffix === '');
  return choose(trx, run.id === root ? run : await runById(trx, root), taken);
}

/**
 * Two outputs of one export must never share a key when they hold different rows: upstream lets a backfill
 * overwrite the live run's file and loses its late events. So a live run has the plain name, and so has the
 * first backfill of an interval from before the schedule began, which no live run is going to cover; any other
 * backfill run carries its backfill's id. An edit of the schedule may bring a live run of that interval all the same:
 * whoever is planned first has the name.
 */
async function choose(trx: Trx, root: RunRow, taken: boolean): Promise<string> {
  if (root.backfill_id === null) return taken ? LIVE : '';
  return !taken && (await isFirst(trx, root)) ? '' : `backfill-${root.backfill_id}`;
}

interface Named {
  readonly root: string;
  readonly suffix: string;
}

/** The runs of the export that have a name and `run`'s interval, by which files are named. */
async function namedLike(trx: Trx, run: RunRow): Promise<Named[]> {
  const { data_interval_start: start, data_interval_end: end } = run;
  return (
    trx
      .selectFrom('batch_export_runs as other')
      .leftJoin('batch_export_backfills as backfill', 'backfill.id', 'other.backfill_id')
      .select((eb) => eb.fn.coalesce('backfill.retry_of', 'other.id').as('root'))
      .select((eb) => eb.ref('other.key_suffix').$notNull().as('suffix'))
      .where('other.batch_export_id', '=', run.batch_export_id)
      // Not "is not distinct from", which no index serves.
      .where('other.data_interval_start', start === null ? 'is' : '=', start)
      .where('other.data_interval_end', '=', end)
      .where('other.key_suffix', 'is not', null)
      .execute()
  );
}

/** Asked by the ends of intervals, so that the indexes over these find the few runs that lie near. */
async function isFirst(trx: Trx, run: RunRow): Promise<boolean> {
  const { batch_export_id: exportId, data_interval_start: start, data_interval_end: end } = run;
  if (start === null) return false;
  const near = sql`${new Date(end.getTime() + LONGEST_INTERVAL_MS)}::timestamptz`;
  const live = sql`batch_export_runs where batch_export_id = ${exportId} and backfill_id is null`;
  const { rows } = await sql<{ first: boolean }>`
    select ${end} <= (select next_interval_start from batch_exports where id = ${exportId})
       and coalesce((select data_interval_start >= ${end} from ${live} order by data_interval_end limit 1), true)
       -- The one that ends first need not be the first to begin: an edit may have brought a longer one.
       and not exists (select from ${live} and data_interval_end < ${near} and data_interval_start < ${end})
       and not exists (
             select from batch_export_backfills backfill, lateral (
                    select id, data_interval_start from batch_export_runs
                     where backfill_id = backfill.id and data_interval_end > ${start}
                       and data_interval_end < case when backfill.start_at is null then 'infinity' else ${near} end
                    -- Read before anything is asked of the ids, whose index tells nothing of where a run lies.
                    offset 0) other
              where backfill.batch_export_id = ${exportId} and backfill.retry_of is null
                and other.id < ${run.id}
                and coalesce(other.data_interval_start, '-infinity') < ${end})
       as first`.execute(trx);
  return rows[0]?.first === true;
}
