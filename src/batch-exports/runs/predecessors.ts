import { sql } from 'kysely';
import type { RunRow } from '../../database/tables.ts';
import { fileOptionsOf } from '../../export/destinations/file-options.ts';
import { wantsManifest } from '../../export/manifest.ts';
import type { Db } from '../ports.ts';
import { askOf } from './ask.ts';
import type { RunSnapshot } from './snapshot.ts';
import { runById } from './store.ts';

/** Another run of the same output, whose files may still be there. */
export interface Predecessor {
  readonly id: string;
  readonly keys: readonly string[];
  /** Whether it wrote a manifest beside them. */
  readonly listed: boolean;
}

/** Whether the run repeats another one. */
export async function repeats(db: Db, runId: string): Promise<boolean> {
  const { retry_of: repeated } = await db
    .selectFrom('batch_export_runs as run')
    .leftJoin('batch_export_backfills as backfill', 'backfill.id', 'run.backfill_id')
    .select('backfill.retry_of')
    .where('run.id', '=', runId)
    .executeTakeFirstOrThrow();
  return repeated !== null;
}

/**
 * Of the runs that share the output of `runId`: the newest completed one, and those after it that began to replace its files and
 * did not complete; newest first, if their files lie at `place`. Older ones are not asked for: the completed one removed
 * theirs, and what lies under their keys by now may be another export's.
 */
export async function predecessors(db: Db, runId: string, place: string): Promise<Predecessor[]> {
  const run = await runById(db, runId);
  const { root } = await askOf(db, run);
  const others = await othersOf(db, runId, root);
  const completed = others.findIndex(({ status }) => status === 'Completed');
  const recent = completed < 0 ? others : others.slice(0, completed + 1);
  return recent
    .filter((other) => liesAt(other, place, run))
    .map((other) => ({ id: other.id, keys: other.keys, listed: wasListed(other) }));
}

/** The ids of all runs that share the output of `runId`, in any state, itself included. */
export async function runsOfOutput(db: Db, runId: string): Promise<string[]> {
  const { root } = await askOf(db, await runById(db, runId));
  const repeated = await db
    .selectFrom('batch_export_backfills as backfill')
    .innerJoin('batch_export_runs as run', 'run.backfill_id', 'backfill.id')
    .select('run.id')
    .where('backfill.retry_of', '=', root)
    .execute();
  return [root, ...repeated.map(({ id }) => id)];
}

type Other = Pick<RunRow, 'id' | 'status' | 'place' | 'snapshot'> & { readonly keys: readonly string[] };

/**
 * Newest first, by the order in which they were asked for, not by times, which a clock set back turns round: one follows
 * the other, and all of them the run that they repeat. Two questions in one, since an "or" over both would read all runs
 * of the export. What a run published that did not complete is in its ledger.
 */
async function othersOf(db: Db, runId: string, root: string): Promise<Other[]> {
  const { rows } = await sql<Other>`
    select id, status, place, snapshot,
           case when status = 'Completed'
                then (select coalesce(jsonb_agg(file->'key'), '[]') from jsonb_array_elements(files) file)
                else (select coalesce(jsonb_agg(file->'key'), '[]') from run_slices where run_id = run.id)
           end as keys
      from (
      select id, status, replacing, files, place, snapshot, 0 as repetition
        from batch_export_runs where id = ${root}
      union all
      select run.id, run.status, run.replacing, run.files, run.place, run.snapshot, backfill.repetition
        from batch_export_backfills backfill
        join batch_export_runs run on run.backfill_id = backfill.id
       where backfill.retry_of = ${root}) as run
     where id <> ${runId} and (status = 'Completed' or replacing)
     order by repetition desc`.execute(db);
  return rows;
}

/**
 * Runs of earlier versions did not note their place: it is the same when they were configured for the same one. On the
 * server's own disk all wrote below the root. What is no Amazon has its address from the integration.
 */
function liesAt(other: Other, place: string, run: Pick<RunRow, 'snapshot'>): boolean {
  if (other.place !== null) return other.place === place;
  const [theirs, ours] = [destinationOf(other), destinationOf(run)];
  if (theirs.type !== ours.type) return false;
  if (theirs.type === 'Filesystem') return place === 'files';
  const sameAddress = theirs.type !== 'S3Compatible' || theirs.integrationId === ours.integrationId;
  return sameAddress && theirs.config.bucket_name === ours.config.bucket_name;
}

function wasListed(other: Other): boolean {
  const destination = destinationOf(other);
  return wantsManifest({ destination }, fileOptionsOf(destination.config), other.keys.length);
}

const destinationOf = ({ snapshot }: Pick<RunRow, 'snapshot'>): RunSnapshot['destination'] =>
  (snapshot as unknown as RunSnapshot).destination;
