import type { Db, Trx } from './ports.ts';

/** Names of the batch exports that an integration's deletion would break (contract.md §10). */
export async function exportsUsing(db: Db | Trx, teamId: number, integrationId: number): Promise<string[]> {
  const rows = await db
    .selectFrom('batch_exports')
    .select('name')
    .where('team_id', '=', teamId)
    .where('integration_id', '=', integrationId)
    .where('deleted_at', 'is', null)
    .orderBy('name')
    .execute();
  return rows.map((row) => row.name);
}

/** Deleted exports keep their row; this cuts its tie to an integration that is about to go. */
export async function forgetIntegration(db: Db | Trx, teamId: number, integrationId: number): Promise<void> {
  await db
    .updateTable('batch_exports')
    .set({ integration_id: null })
    .where('team_id', '=', teamId)
    .where('integration_id', '=', integrationId)
    .where('deleted_at', 'is not', null)
    .execute();
}
