import type { Db } from '../ports.ts';

/**
 * Of a run that was cancelled on standby: nobody takes back what it left at its destination. The database may be a copy, and
 * the run completed since, from the very files that the copy knows of.
 */
export async function leaveAsItIs(db: Db, runId: string): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const left = await trx
      .updateTable('batch_export_runs')
      .set({ region: null })
      .where('id', '=', runId)
      .where('status', '=', 'Cancelled')
      .returning('id')
      .executeTakeFirst();
    if (left) await trx.deleteFrom('run_slices').where('run_id', '=', runId).execute();
  });
}
