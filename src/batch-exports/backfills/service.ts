import { lockProject } from '../../database/lock-project.ts';
import type { BackfillRow, BatchExportRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Actor, Db, ResourcePorts, Trx } from '../ports.ts';
import { scheduleOf } from '../schedule/schedule.ts';
import { record } from '../service.ts';
import { findExport, lockedExport, readId } from '../store.ts';
import { cancelBackfills } from './cancel.ts';
import { type Range, startBackfill } from './create.ts';
import { readBound } from './dates.ts';
import { ACTIVE_BACKFILL_STATES } from './machine.ts';
import { STAMP_MS } from './open-region.ts';

export interface BackfillBody {
  readonly start_at?: unknown;
  readonly end_at?: unknown;
}

/** Checks and starts, in the order of contract.md §8.2. The row exists before the answer. */
export async function createBackfill(
  ports: ResourcePorts,
  actor: Actor,
  exportId: string | undefined,
  body: BackfillBody,
): Promise<BackfillRow> {
  const found = await findExport(ports.db, actor.teamId, exportId);
  await checkEarliest(ports, found, body);
  // Nobody waits for the warehouse to be refused after all.
  await checkLimit(ports.db, ports, actor.teamId);
  const arrived = await ports.arrivedBefore(actor.teamId);
  const estimate = await estimateOf(ports, found, body, arrived);
  return ports.db.transaction().execute(async (trx) => {
    const batchExport = await lockedExport(trx, actor.teamId, exportId);
    await lockProject(trx, actor.teamId);
    await checkLimit(trx, ports, actor.teamId);
    const now = ports.clock.now();
    const range = readRange(ports, batchExport, body, now);
    const { start_at = null, end_at = null } = body;
    await record(trx, ports, actor, batchExport, 'backfill_created', { start_at, end_at });
    // Counted up to a moment before this transaction: a range that was not the same then is not estimated.
    const same = estimate?.start === range.start && estimate.end === range.end;
    const asked = { now, arrivalBefore: Math.max(arrived, now + STAMP_MS) };
    return startBackfill(trx, ports, batchExport, range, same ? estimate.found : null, asked);
  });
}

/** Check 2. Before the transaction: reading a query may take seconds. */
async function checkEarliest(
  ports: ResourcePorts,
  { hogql_query: query, team_id: teamId }: BatchExportRow,
  body: BackfillBody,
): Promise<void> {
  if ((body.start_at ?? null) !== null) return;
  if (!ports.gates.earliestBackfill) {
    throw refuse('Backfills of all history are not enabled here; give start_at.');
  }
  if (query !== null && (await ports.readQuery(query, teamId)).placeholders.has('data_interval_start')) {
    throw refuse('The query uses {data_interval_start}; give start_at.');
  }
}

/** Before the transaction, too, because the warehouse may take seconds. Null = the body is refused anyway. */
async function estimateOf(
  ports: ResourcePorts,
  batchExport: BatchExportRow,
  body: BackfillBody,
  arrivalBefore: number,
) {
  const now = ports.clock.now();
  let range: Range;
  try {
    range = readRange(ports, batchExport, body, now);
  } catch {
    return null;
  }
  return { ...range, found: await ports.estimate(batchExport, { ...range, arrivalBefore }) };
}

/** Check 3, over all exports of the project; under its lock, for good (B5). */
async function checkLimit(db: Db | Trx, ports: ResourcePorts, teamId: number): Promise<void> {
  const { count } = await db
    .selectFrom('batch_export_backfills')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('team_id', '=', teamId)
    .where('retry_of', 'is', null)
    .where('status', 'in', [...ACTIVE_BACKFILL_STATES])
    .executeTakeFirstOrThrow();
  if (Number(count) >= ports.maxBackfills) throw new SluiceError('too_many_concurrent_backfills');
}

/** Checks 4 to 6. */
function readRange(
  ports: Pick<ResourcePorts, 'destinations'>,
  batchExport: BatchExportRow,
  body: BackfillBody,
  now: number,
): Range {
  const schedule = scheduleOf(batchExport);
  const read = (name: 'start_at' | 'end_at') =>
    (body[name] ?? null) === null ? null : readBound(schedule, name, body[name]);
  const start = read('start_at');
  const end = read('end_at');
  if (end === null) {
    const type = batchExport.destination_type;
    if (!ports.destinations.get(type)?.openEnded) throw refuse(`A backfill to ${type} needs end_at.`);
    if (start !== null && start >= now) throw refuse('start_at must be in the past.');
    return { start, end };
  }
  if (start !== null && start >= end) throw refuse('start_at must be before end_at.');
  if (end > now) throw refuse('end_at must not be in the future.');
  return { start, end };
}

/** Throws `invalid_input` when it has ended. */
export async function cancelBackfill(
  ports: ResourcePorts,
  actor: Actor,
  exportId: string | undefined,
  id: string | undefined,
): Promise<void> {
  const cancelled = await ports.db.transaction().execute(async (trx) => {
    const parent = await trx
      .selectFrom('batch_exports')
      .select('id')
      .where('id', '=', readId(exportId))
      .where('team_id', '=', actor.teamId)
      .forUpdate()
      .executeTakeFirst();
    const backfill = await trx
      .selectFrom('batch_export_backfills')
      .selectAll()
      .where('id', '=', readId(id))
      .where('batch_export_id', '=', parent?.id ?? readId(exportId))
      .where('team_id', '=', actor.teamId)
      .executeTakeFirst();
    if (!parent || !backfill) throw new SluiceError('not_found');
    if (!(ACTIVE_BACKFILL_STATES as readonly string[]).includes(backfill.status)) {
      throw refuse(`A backfill that is ${backfill.status} cannot be cancelled.`);
    }
    await record(trx, ports, actor, parent, 'backfill_cancelled', { backfill_id: backfill.id });
    return (await cancelBackfills(trx, ports, { backfillId: backfill.id }, ports.clock.now())).runs;
  });
  for (const runId of cancelled) ports.onRunCancelled(runId);
}

const refuse = (detail: string): SluiceError => new SluiceError('invalid_input', { detail });
