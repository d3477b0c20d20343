import { sql } from 'kysely';
import type { Db } from './ports.ts';

const DAY_MS = 86_400_000;
/** What the embedded database removes while nobody notices that it is busy: 8 ms, 20 on a busy machine. */
const AT_ONCE = 1_000;

/**
 * Removes log lines that are older than `keepDays` at `now`, milliseconds since the epoch, a thousand per statement, and
 * resolves with how many. Lines are looked at in the order they were written, until a thousand are all young: those that
 * a clock far ahead wrote may stand in the way no more than that. Several processes may do it at the same time.
 */
export async function removeOldLog(db: Db, now: number, keepDays: number): Promise<number> {
  const before = new Date(now - keepDays * DAY_MS);
  let removed = 0;
  for (;;) {
    const { numAffectedRows = 0n } = await sql`
      delete from log_entries using (
        select id, "timestamp" from log_entries order by id limit ${AT_ONCE} for update skip locked
      ) as oldest
      where log_entries.id = oldest.id and oldest."timestamp" < ${before}`.execute(db);
    if (numAffectedRows === 0n) return removed;
    removed += Number(numAffectedRows);
  }
}
