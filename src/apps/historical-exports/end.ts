import { eachInTurn } from '../../work/each-in-turn.ts';
import type { Lease } from '../delivery/lease.ts';
import { fenced } from '../delivery/store.ts';
import type { AppsPorts, Trx } from '../ports.ts';
import { JOB_TYPE, type TriggerDetail, type TriggerPayload } from './activity.ts';
import { ACTIVE_STATES, statesAccepting } from './machine.ts';

type EndPorts = Pick<AppsPorts, 'db' | 'clock' | 'recordActivity'>;

/** *complete*: everything is delivered. Logs `export_success`. Throws `delivery_superseded`. */
export async function completeHistoricalExport(ports: EndPorts, lease: Lease, jobId: string): Promise<void> {
  await ports.db.transaction().execute(async (trx) => {
    await fenced(trx, lease, {});
    await end(trx, ports, jobId, { status: 'Completed', failureReason: null });
  });
}

/**
 * *fail*: for good, with a reason for a person. Logs `export_fail`. What had ended already stays as it is. Whoever delivers
 * for it finds its lease gone.
 */
export async function failHistoricalExport(ports: EndPorts, jobId: string, reason: string): Promise<void> {
  await ports.db
    .transaction()
    .execute((trx) => end(trx, ports, jobId, { status: 'Failed', failureReason: reason }));
}

async function end(
  trx: Trx,
  ports: EndPorts,
  jobId: string,
  { status, failureReason }: { status: 'Completed' | 'Failed'; failureReason: string | null },
): Promise<void> {
  const row = await trx
    .updateTable('historical_exports')
    .set({
      status,
      failure_reason: failureReason,
      finished_at: new Date(ports.clock.now()),
      ...(status === 'Completed' ? { progress: 1 } : {}),
    })
    .where('id', '=', jobId)
    .where('status', 'in', statesAccepting(status === 'Completed' ? 'complete' : 'fail'))
    .returning(['organization_id', 'team_id', 'plugin_config_id'])
    .executeTakeFirst();
  if (!row) return;
  // Nobody has it any more. Its batches are removed later, in portions (ledger.ts).
  await trx
    .updateTable('app_deliveries')
    .set(({ eb }) => ({ owner: null, lease_until: null, epoch: eb('epoch', '+', 1) }))
    .where('historical_export_id', '=', jobId)
    .execute();
  const payload: TriggerPayload = status === 'Completed' ? {} : { failure_reason: failureReason };
  await ports.recordActivity(trx, {
    organizationId: row.organization_id,
    teamId: row.team_id,
    userId: null,
    scope: 'PluginConfig',
    itemId: String(row.plugin_config_id),
    activity: status === 'Completed' ? 'export_success' : 'export_fail',
    detail: { trigger: { job_type: JOB_TYPE, job_id: jobId, payload } } satisfies TriggerDetail,
  });
}

/**
 * Ends the historical exports of plugin configs that were turned off or deleted. One that cannot be ended keeps no other
 * from it; the first error is thrown when all have been tried.
 */
export async function failAbandoned(ports: EndPorts): Promise<void> {
  const abandoned = await ports.db
    .selectFrom('historical_exports as job')
    .innerJoin('plugin_configs as config', 'config.id', 'job.plugin_config_id')
    .select(['job.id', 'config.deleted_at'])
    .where('job.status', 'in', [...ACTIVE_STATES])
    .where((where) =>
      where.or([where('config.enabled', '=', false), where('config.deleted_at', 'is not', null)]),
    )
    .execute();
  await eachInTurn(abandoned, ({ id, deleted_at }) =>
    failHistoricalExport(ports, id, `The app was ${deleted_at === null ? 'turned off' : 'deleted'}.`),
  );
}
