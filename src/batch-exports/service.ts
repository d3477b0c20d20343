import type { BatchExportRow } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { cancelBackfills } from './backfills/cancel.ts';
import { changesBetween } from './changes.ts';
import { acceptDestination, destinationColumns, readDestination } from './destination.ts';
import { modernized } from './legacy/s3.ts';
import { warnOfNeighbours } from './neighbours.ts';
import type { Actor, Db, ResourcePorts, Trx } from './ports.ts';
import { readExportQuery } from './query.ts';
import { checkFields, checkWhole, offsetAfter } from './rules.ts';
import { cancelRuns } from './runs/cancel.ts';
import { changeSchedule, firstCursorColumns } from './schedule/change.ts';
import type { IntervalName } from './schedule/intervals.ts';
import type { WriteBody } from './schema.ts';
import { findExport, insertExport, lockedExport, updateExport } from './store.ts';

/** Creates an export and its schedule (contract.md §4.3). Throws the first problem of the body. */
export async function createExport(
  ports: ResourcePorts,
  actor: Actor,
  sent: WriteBody,
): Promise<BatchExportRow> {
  checkFields(sent, null, ports.gates);
  const body = await modernized(ports, actor, sent, null);
  const { name, destination, interval } = required(body);
  const id = ports.newId();
  const whole = await readDestination(ports.db, ports, actor.teamId, destination, null, true);
  await acceptDestination(ports, actor.teamId, whole);
  const columns = destinationColumns(ports, id, whole);
  checkWhole(body, null, destination.type, await readExportQuery(ports, actor.teamId, body, null));
  const now = ports.clock.now();
  const schedule = {
    interval,
    interval_offset: offsetAfter(body, interval, null),
    timezone: body.timezone ?? 'UTC',
    paused: body.paused ?? false,
    start_at: moment(body.start_at) ?? null,
    end_at: moment(body.end_at) ?? null,
  };
  return ports.db.transaction().execute(async (trx) => {
    const row = await insertExport(trx, {
      id,
      team_id: actor.teamId,
      name,
      model: body.model ?? 'events',
      incremental_mode: body.incremental_mode ?? 'APPEND',
      ...columns,
      ...schedule,
      ...firstCursorColumns({ ...schedule, id }, now, ports.jitterScale),
      ...queryColumns(body),
      last_paused_at: moment(body.last_paused_at) ?? null,
      created_by: actor.userId,
      last_modified_by: actor.userId,
      created_at: new Date(now),
      last_updated_at: new Date(now),
    });
    await record(trx, ports, actor, row, 'created', { name });
    await warnOfNeighbours(trx, ports, actor, row);
    return row;
  });
}

/**
 * PUT (`replace`: required fields and config keys must be there) and PATCH. A change of the schedule moves its cursor;
 * runs in flight keep the configuration they were created with.
 */
export async function changeExport(
  ports: ResourcePorts,
  actor: Actor,
  id: string | undefined,
  sent: WriteBody,
  how: { readonly replace: boolean },
): Promise<BatchExportRow> {
  const seen = await findExport(ports.db, actor.teamId, id);
  checkFields(sent, seen, ports.gates);
  const body = await modernized(ports, actor, sent, seen);
  const read = (db: Db | Trx, stored: BatchExportRow) =>
    body.destination && readDestination(db, ports, actor.teamId, body.destination, stored, how.replace);
  // These may take seconds, which no transaction should.
  const whole = await read(ports.db, seen);
  if (whole) await acceptDestination(ports, actor.teamId, whole);
  const query = await readExportQuery(ports, actor.teamId, body, seen);
  return ports.db.transaction().execute(async (trx) => {
    const stored = await lockedExport(trx, actor.teamId, id);
    if (stored.hogql_query !== seen.hogql_query) throw new SluiceError('conflict');
    checkFields(body, stored, ports.gates);
    const destination = await read(trx, stored);
    const columns = destination ? destinationColumns(ports, stored.id, destination) : {};
    checkWhole(body, stored, stored.destination_type, query);
    const now = ports.clock.now();
    const schedule = scheduleAfter(body, stored, how.replace);
    const cursor = await changeSchedule(trx, ports, stored, schedule, now);
    const row = await updateExport(trx, stored.id, {
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.incremental_mode === undefined ? {} : { incremental_mode: body.incremental_mode }),
      ...columns,
      ...schedule,
      ...cursor,
      ...queryColumns(body),
      ...(body.last_paused_at === undefined ? {} : { last_paused_at: moment(body.last_paused_at) ?? null }),
      last_modified_by: actor.userId,
      last_updated_at: new Date(now),
    });
    await record(trx, ports, actor, row, 'updated', {
      name: row.name,
      changes: changesBetween(ports, stored, row),
    });
    if (destination || row.interval !== stored.interval) await warnOfNeighbours(trx, ports, actor, row);
    return row;
  });
}

function scheduleAfter(body: WriteBody, stored: BatchExportRow, replace: boolean) {
  const interval = (body.interval ?? stored.interval) as IntervalName;
  const { start_at: start, end_at: end } = body;
  return {
    interval,
    interval_offset: offsetAfter(body, interval, replace ? null : stored),
    timezone: body.timezone === undefined ? stored.timezone : (body.timezone ?? 'UTC'),
    paused: body.paused ?? stored.paused,
    start_at: start === undefined ? stored.start_at : (moment(start) ?? null),
    end_at: end === undefined ? stored.end_at : (moment(end) ?? null),
  };
}

/** Soft: cancels what is active and ends the schedule; runs and backfills stay listable (contract.md §13). */
export async function deleteExport(
  ports: ResourcePorts,
  actor: Actor,
  id: string | undefined,
): Promise<void> {
  const cancelled = await ports.db.transaction().execute(async (trx) => {
    const stored = await lockedExport(trx, actor.teamId, id);
    const now = ports.clock.now();
    const runs = [
      ...(await cancelBackfills(trx, ports, { exportId: stored.id }, now)).runs,
      ...(await cancelRuns(trx, ports, { exportId: stored.id }, now)),
    ];
    const at = new Date(now);
    await updateExport(trx, stored.id, { deleted_at: at, last_updated_at: at, next_due_at: null });
    await record(trx, ports, actor, stored, 'deleted', { name: stored.name });
    return runs;
  });
  for (const runId of cancelled) ports.onRunCancelled(runId);
}

export async function record(
  trx: Trx,
  ports: Pick<ResourcePorts, 'recordActivity'>,
  actor: Actor,
  row: Pick<BatchExportRow, 'id'>,
  activity: string,
  detail: Record<string, unknown>,
): Promise<void> {
  const scope = 'BatchExport';
  await ports.recordActivity(trx, { ...actor, scope, itemId: row.id, activity, detail });
}

const moment = (text: string | null | undefined): Date | undefined => (text ? new Date(text) : undefined);

const json = (value: unknown): string | null => (value === null ? null : JSON.stringify(value));

/** Columns of what was sent; absent keys leave the row (or the table's default) alone. */
function queryColumns(body: WriteBody) {
  return {
    ...(body.filters === undefined ? {} : { filters: json(body.filters) }),
    ...((body.hogql_query ?? null) === null ? {} : { hogql_query: body.hogql_query }),
    ...(body.hogql_modifiers === undefined ? {} : { hogql_modifiers: json(body.hogql_modifiers) }),
    ...(body.primary_key === undefined ? {} : { primary_key: body.primary_key }),
    ...(body.version_key === undefined ? {} : { version_key: body.version_key }),
  };
}

function required(body: WriteBody) {
  const { name, destination, interval } = body;
  if (name === undefined || destination === undefined || interval === undefined) {
    throw new Error('The schema of POST requires name, destination and interval.');
  }
  return { name, destination, interval };
}
