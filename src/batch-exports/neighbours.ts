import { type RawBuilder, sql } from 'kysely';
import type { BatchExportRow } from '../database/tables.ts';
import { appendLog } from './logs.ts';
import type { Actor, ResourcePorts, Trx } from './ports.ts';

/** What of a config decides, beside the prefix, where files go; their names are the intervals'. */
const PLACE = ['bucket_name', 'container_name'] as const;

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
  const type = row.destination_type;
  for (const key of PLACE) {
    others = others.where(
      sql<boolean>`btrim(coalesce(destination_config->>${key}, '')) = ${String(config[key] ?? '').trim()}`,
    );
  }
  const prefix = sql<string>`${String(config.prefix ?? '')}::text`;
  others = others.where(
    sql<boolean>`${folder(type, sql`coalesce(destination_config->>'prefix', '')`)} = ${folder(type, prefix)}`,
  );
  if (type === 'S3Compatible') {
    others = others.where(
      sql<boolean>`${endpoint(sql`batch_exports.integration_id`)} is not distinct from ${endpoint(sql`${row.integration_id}::integer`)}`,
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

/** How keys below a prefix begin: with a slash at its end and none in front; on a disk, several slashes are one. */
function folder(type: string, prefix: RawBuilder<unknown>): RawBuilder<string> {
  const closed = sql`regexp_replace(${prefix}, '([^/])$', '\\1/')`;
  const single = type === 'Filesystem' ? sql`regexp_replace(${closed}, '/+', '/', 'g')` : closed;
  return sql<string>`regexp_replace(${single}, '^/', '')`;
}

/** The address of the store of an integration. */
const endpoint = (id: RawBuilder<unknown>): RawBuilder<string | null> =>
  sql`(select rtrim(config->>'endpoint_url', '/') from integrations where integrations.id = ${id})`;
