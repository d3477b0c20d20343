import type { Trx } from '../ports.ts';

/** Whoever creates, plans, names or ends runs of an export holds this lock first. Returns the export's id. */
export async function lockExportOf(trx: Trx, runId: string): Promise<string> {
  const { id } = await trx
    .selectFrom('batch_exports')
    .select('id')
    .where('id', '=', (eb) =>
      eb.selectFrom('batch_export_runs').select('batch_export_id').where('id', '=', runId),
    )
    .forUpdate()
    .executeTakeFirstOrThrow();
  return id;
}
