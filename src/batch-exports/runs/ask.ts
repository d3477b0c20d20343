import type { BackfillRow, Region, RunRow } from '../../database/tables.ts';
import { isOpenEnded, openRegion, STAMP_MS } from '../backfills/open-region.ts';
import type { Db, Trx } from '../ports.ts';
import { askedRegion } from './regions.ts';
import { isOnDemand, type RunSnapshot } from './snapshot.ts';

export interface Asked {
  readonly region: Region;
  /** The first run of the interval whose output this run writes; its own id unless it repeats another. */
  readonly root: string;
}

/** What a run asks for: by its backfill, or by the run it repeats (docs/state-machines.md). */
export async function askOf(db: Db | Trx, run: RunRow): Promise<Asked> {
  const backfill = run.backfill_id ? await findBackfill(db, run.backfill_id) : null;
  if (!backfill?.retry_of) return { region: run.region ?? regionOf(run, backfill), root: run.id };
  const root = await db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('id', '=', backfill.retry_of)
    .executeTakeFirstOrThrow();
  if (run.region ?? root.region) return { region: (run.region ?? root.region) as Region, root: root.id };
  const rootBackfill = root.backfill_id ? await findBackfill(db, root.backfill_id) : null;
  return { region: regionOf(root, rootBackfill), root: root.id };
}

function regionOf(run: RunRow, backfill: BackfillRow | null): Region {
  const start = run.data_interval_start?.getTime() ?? null;
  const end = run.data_interval_end.getTime();
  if (isOnDemand(run)) {
    const { arrivalBefore = run.created_at.getTime() + STAMP_MS } = run.snapshot as unknown as RunSnapshot;
    return askedRegion({ by: 'event', start, end, arrivalBefore });
  }
  if (backfill && isOpenEnded(backfill)) return openRegion(backfill, start, end);
  if (start !== null && (backfill === null || backfill.by_arrival)) {
    return askedRegion({ by: 'arrival', start, end });
  }
  const arrivalBefore = backfill?.arrival_before.getTime() ?? end;
  return askedRegion({ by: 'event', start, end, arrivalBefore });
}

function findBackfill(db: Db | Trx, id: string): Promise<BackfillRow> {
  return db.selectFrom('batch_export_backfills').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}
