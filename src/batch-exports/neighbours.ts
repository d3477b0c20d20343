import { sql } from 'kysely';
import type { BatchExportRow } from '../database/tables.ts';
import { appendLog } from './logs.ts';
import type { Actor, ResourcePorts, Trx } from './ports.ts';

/** What of a config decides where files go; their names are the intervals'. */
const PLACE = ['prefix', 'bucket_name', 'container_name', 'endpoint_url'] as const;

/**
 * Says in the log of an export that was just written which other exports of the organization write files under the same
 * names: each replaces the files of the other, as upstream's do, and their runs are Completed all the same.
 */
export async function warnOfNeighbours(
  trx: Trx,
  ports: Pick<ResourcePorts, 'destinations' | 'clock'>,
  actor: Actor,
  row: BatchExportRow,
): Promise<void> {
  const config = row.destination_config as Readonly<Record<string, unknown>>;
  if (!ports.destinations.get(row.destination_type)?.files(config)) return;
  let others = trx
    .selectFrom('batch_exports')
    .innerJoin('projects', 'projects.id', 'batch_exports.team_id')
    .select(['batch_exports.id', 'batch_exports.team_id'])
    .where('projects.organization_id', '=', actor.organizationId)
    .where('batch_exports.id', '!=', row.id)
    .where('batch_exports.deleted_at', 'is', null)
    .where('destination_type', '=', row.destination_type)
    .where('interval', '=', row.interval)
    .where('model', '=', row.model);
  for (const key of PLACE) {
    others = others.where(
      sql<boolean>`coalesce(destination_config->>${key}, '') = ${String(config[key] ?? '')}`,
    );
  }
  const [other] = await others.orderBy('batch_exports.id').limit(1).execute();
  if (!other) return;
  const where = other.team_id === row.team_id ? '' : ` of project ${other.team_id}`;
  const message =
    `Export ${other.id}${where} writes to the same place at the same interval: files of the same names replace each other. ` +
    'Give one of the two another prefix.';
  const line = { teamId: row.team_id, exportId: row.id, runId: null, level: 'WARNING' as const, message };
  await appendLog(trx, [line], ports.clock.now());
}
