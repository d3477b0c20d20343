import { sql } from 'kysely';
import type { RunRow } from '../../database/tables.ts';
import { fileOptionsOf } from '../../export/destinations/file-options.ts';
import { wantsManifest } from '../../export/manifest.ts';
import type { Db } from '../ports.ts';
import { askOf } from './ask.ts';
import type { RunSnapshot } from './snapshot.ts';
import { runById } from './store.ts';

/** Another run of the same output, whose files are still there. */
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
 * The newest completed run of those that share the output of `runId`, if its files lie at `place`. Older ones are not asked for:
 * that one removed theirs, and what lies under their keys by now may be another export's.
 */
export async function predecessors(db: Db, runId: string, place: string): Promise<Predecessor[]> {
  const run = await runById(db, runId);
  const { root } = await askOf(db, run);
  const [newest] = await othersOf(db, runId, root);
  if (!newest || !liesAt(newest, place, run)) return [];
  const keys = (newest.files ?? []).map(({ key }) => String(key));
  return [{ id: newest.id, keys, listed: wasListed(newest, keys.length) }];
}

type Other = Pick<RunRow, 'id' | 'files' | 'place' | 'snapshot'>;

/** Newest first. Two questions in one, since an "or" over both would read all runs of the export. */
async function othersOf(db: Db, runId: string, root: string): Promise<Other[]> {
  const { rows } = await sql<Other>`
    select id, files, place, snapshot from (
      select id, status, files, place, snapshot, finished_at from batch_export_runs where id = ${root}
      union all
      select run.id, run.status, run.files, run.place, run.snapshot, run.finished_at
        from batch_export_backfills backfill
        join batch_export_runs run on run.backfill_id = backfill.id
       where backfill.retry_of = ${root}) as run
     where id <> ${runId} and status = 'Completed'
     order by finished_at desc, id desc`.execute(db);
  return rows;
}

/** Runs of earlier versions did not note their place: it is the same when they were configured for the same one. */
function liesAt(other: Other, place: string, run: Pick<RunRow, 'snapshot'>): boolean {
  if (other.place !== null) return other.place === place;
  const [theirs, ours] = [destinationOf(other), destinationOf(run)];
  return (
    theirs.type === ours.type &&
    theirs.integrationId === ours.integrationId &&
    theirs.config.bucket_name === ours.config.bucket_name
  );
}

function wasListed(other: Other, count: number): boolean {
  const destination = destinationOf(other);
  return count > 0 && wantsManifest({ destination }, fileOptionsOf(destination.config), count);
}

const destinationOf = ({ snapshot }: Pick<RunRow, 'snapshot'>): RunSnapshot['destination'] =>
  (snapshot as unknown as RunSnapshot).destination;
