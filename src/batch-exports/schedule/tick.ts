import { sql } from 'kysely';
import type { BatchExportRow } from '../../database/tables.ts';
import { advanceActiveBackfills } from '../backfills/waiting.ts';
import type { RunPorts, Trx } from '../ports.ts';
import { createRunsOf } from '../runs/create.ts';
import { type Due, dueIntervals } from './advance.ts';

export interface Ticked {
  readonly created: readonly string[];
  /** When the next tick has something to do, milliseconds since the epoch; null = nothing is scheduled. */
  readonly nextDueAt: number | null;
}

/** Exports per transaction: few statements for many, and yet nobody waits long for their locks. */
const EXPORTS_PER_TRANSACTION = 50;
/** Intervals per transaction: after a long downtime an export holds its lock for some 100 ms at a time. */
const INTERVALS_PER_TRANSACTION = 500;

/**
 * Creates the runs that are due, of at most `limit` exports (an export far behind counts several times), and moves
 * backfills on. Any number of processes may tick at once: each export is taken by one of them (S2).
 */
export async function tick(ports: RunPorts, limit: number): Promise<Ticked> {
  const created: string[] = [];
  for (let done = 0; done < limit; ) {
    const most = Math.min(limit - done, EXPORTS_PER_TRANSACTION);
    const turn = await ports.db.transaction().execute((trx) => tickSome(trx, ports, most));
    if (turn.exports === 0) break;
    done += turn.exports;
    created.push(...turn.created);
  }
  created.push(...(await advanceActiveBackfills(ports, limit)));
  return { created, nextDueAt: await nextDueAt(ports) };
}

/** Takes up to `most` due exports that are in no other hands; none when there are none. */
async function tickSome(
  trx: Trx,
  ports: RunPorts,
  most: number,
): Promise<{ exports: number; created: readonly string[] }> {
  const now = ports.clock.now();
  const due = await trx
    .selectFrom('batch_exports')
    .selectAll()
    .where('next_due_at', '<=', new Date(now))
    .where('paused', '=', false)
    .where('deleted_at', 'is', null)
    .orderBy('next_due_at')
    .limit(most)
    .forUpdate()
    .skipLocked()
    .execute();
  const taken: { batchExport: BatchExportRow; due: Due }[] = [];
  let room = INTERVALS_PER_TRANSACTION;
  for (const batchExport of due) {
    if (room === 0) break;
    const { jitterScale } = ports;
    const found = dueIntervals(batchExport, { now, limit: room, jitterScale });
    taken.push({ batchExport, due: found });
    room -= found.intervals.length;
  }
  if (taken.length === 0) return { exports: 0, created: [] };
  const wanted = taken.map(({ batchExport, due: { intervals } }) => ({ batchExport, intervals }));
  const created = await createRunsOf(trx, ports, wanted, { now, backfillId: null });
  await moveCursors(trx, taken);
  return { exports: taken.length, created };
}

async function moveCursors(
  trx: Trx,
  taken: readonly { readonly batchExport: BatchExportRow; readonly due: Due }[],
): Promise<void> {
  const moved = taken.map(({ batchExport: { id }, due: { cursor, dueAt } }) => ({
    id,
    cursor: new Date(cursor).toISOString(),
    due: dueAt === null ? null : new Date(dueAt).toISOString(),
  }));
  await sql`
    update batch_exports set next_interval_start = moved.cursor, next_due_at = moved.due
      from jsonb_to_recordset(${JSON.stringify(moved)}::jsonb) as moved (id uuid, cursor timestamptz, due timestamptz)
     where batch_exports.id = moved.id`.execute(trx);
}

async function nextDueAt(ports: RunPorts): Promise<number | null> {
  const { due } = await ports.db
    .selectFrom('batch_exports')
    .select((eb) => eb.fn.min('next_due_at').as('due'))
    .where('deleted_at', 'is', null)
    .where('paused', '=', false)
    .executeTakeFirstOrThrow();
  return due ? new Date(due).getTime() : null;
}
