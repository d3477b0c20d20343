import { cursorColumns, startOf } from '../delivery/position.ts';
import type { AppsPorts, Trx } from '../ports.ts';
import { JOB_TYPE, type TriggerPayload } from './activity.ts';

export interface NewHistoricalExport {
  readonly organizationId: string;
  readonly teamId: number;
  readonly userId: number;
  readonly pluginConfigId: number;
  /** Kept and shown as it is: `{dateRange, parallelism}`. */
  readonly payload: TriggerPayload;
  /** Event time, milliseconds since the epoch, half open: local midnights around the inclusive days. */
  readonly eventFrom: number;
  readonly eventTo: number;
  /** What arrives from then on, milliseconds since the epoch, is not part of it. */
  readonly arrivalBefore: number;
  /** Batches at once, 1 or more. */
  readonly parallelism: number;
}

/** Begins a historical export and logs `job_triggered` (contract.md §11.5), in the caller's transaction. Returns the job id. */
export async function createHistoricalExport(
  trx: Trx,
  ports: Pick<AppsPorts, 'clock' | 'newId' | 'recordActivity'>,
  wanted: NewHistoricalExport,
): Promise<string> {
  const id = ports.newId();
  const now = new Date(ports.clock.now());
  await trx
    .insertInto('historical_exports')
    .values({
      id,
      organization_id: wanted.organizationId,
      team_id: wanted.teamId,
      plugin_config_id: wanted.pluginConfigId,
      payload: JSON.stringify(wanted.payload),
      event_from: new Date(wanted.eventFrom),
      event_to: new Date(wanted.eventTo),
      arrival_before: new Date(wanted.arrivalBefore),
      parallelism: wanted.parallelism,
      status: 'Starting',
      created_by: wanted.userId,
      created_at: now,
    })
    .execute();
  await trx
    .insertInto('app_deliveries')
    .values({
      id: ports.newId(),
      plugin_config_id: wanted.pluginConfigId,
      historical_export_id: id,
      since: now,
      ...cursorColumns(startOf(wanted.eventFrom * 1000)),
    })
    .execute();
  await ports.recordActivity(trx, {
    organizationId: wanted.organizationId,
    teamId: wanted.teamId,
    userId: wanted.userId,
    scope: 'PluginConfig',
    itemId: String(wanted.pluginConfigId),
    activity: 'job_triggered',
    detail: { trigger: { job_type: JOB_TYPE, job_id: id, payload: wanted.payload } },
  });
  return id;
}
