import type { BatchExportRow } from '../database/tables.ts';
import { startCatchUp } from './backfills/catch-up.ts';
import type { Actor, ResourcePorts } from './ports.ts';
import { changeSchedule } from './schedule/change.ts';
import { record } from './service.ts';
import { lockedExport, updateExport } from './store.ts';

/** Pauses; an export paused already stays exactly as it is (contract.md §6). */
export async function pauseExport(ports: ResourcePorts, actor: Actor, id: string | undefined): Promise<void> {
  await ports.db.transaction().execute(async (trx) => {
    const stored = await lockedExport(trx, actor.teamId, id);
    if (stored.paused) return;
    const now = ports.clock.now();
    const at = new Date(now);
    const cursor = await changeSchedule(trx, ports, stored, { ...stored, paused: true }, now);
    await updateExport(trx, stored.id, { ...cursor, paused: true, last_paused_at: at, last_updated_at: at });
    await record(trx, ports, actor, stored, 'paused', {});
  });
}

/**
 * Unpauses; one that runs already is left alone, even with `backfill`. With it, a backfill makes up for the intervals that
 * ended while paused, by arrival time (docs/state-machines.md).
 */
export async function unpauseExport(
  ports: ResourcePorts,
  actor: Actor,
  id: string | undefined,
  options: { readonly backfill: boolean },
): Promise<void> {
  await ports.db.transaction().execute(async (trx) => {
    const stored = await lockedExport(trx, actor.teamId, id);
    if (!stored.paused) return;
    const now = ports.clock.now();
    const cursor = await changeSchedule(trx, ports, stored, { ...stored, paused: false }, now);
    const row: BatchExportRow = await updateExport(trx, stored.id, {
      ...cursor,
      paused: false,
      last_updated_at: new Date(now),
    });
    await record(trx, ports, actor, row, 'unpaused', { backfill: options.backfill });
    if (options.backfill) await startCatchUp(trx, ports, { before: stored, after: row }, now);
  });
}
