import type { Db } from '../ports.ts';

/** A run that has ended and is not in the warehouse's metrics yet. */
export interface EndedRun {
  readonly id: string;
  readonly teamId: number;
  readonly exportId: string;
  readonly status: string;
  readonly finishedAt: Date;
  readonly rows: number | null;
}

/** For who counts runs (contract.md §12): a run is handed out, oldest first, until it is said to be counted. */
export const runsToCount = (db: Db) => ({
  async next(limit: number): Promise<readonly EndedRun[]> {
    const rows = await db
      .selectFrom('batch_export_runs')
      .select(['id', 'team_id', 'batch_export_id', 'status', 'finished_at', 'records_completed'])
      .where('finished_at', 'is not', null)
      .where('counted', '=', false)
      .orderBy('finished_at')
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      id: row.id,
      teamId: row.team_id,
      exportId: row.batch_export_id,
      status: row.status,
      finishedAt: row.finished_at ?? new Date(0),
      rows: row.records_completed,
    }));
  },
  async counted(ids: readonly string[]): Promise<void> {
    await db
      .updateTable('batch_export_runs')
      .set({ counted: true })
      .where('id', 'in', [...ids])
      .execute();
  },
});
