import { sql } from 'kysely';
import type { Db } from './ports.ts';

const DAY_MS = 86_400_000;
/** What the embedded database removes while nobody notices that it is busy: 8 ms, 20 on a busy machine. */
const AT_ONCE = 1_000;

/**
 * Removes log lines that are older than `keepDays` at `now`, milliseconds since the epoch, a thousand per statement, and
 * resolves with how many. Lines are looked at in the order they were written, until a thousand are all young. Those in the
 * future do not count: a clock that was ahead wrote them, and older lines may lie behind. Several processes may do it at the
 * same time.
 */
export async function removeOldLog(db: Db, now: number, keepDays: number): Promise<number> {
  const before = new Date(now - keepDays * DAY_MS);
  let removed = 0;
  for (let after = 0; ; ) {
    const { rows } = await sql<Looked>`
      with looked as (
        select id, "timestamp" from log_entries where id > ${after}::bigint
         order by id limit ${AT_ONCE} for update skip locked),
      old as (
        delete from log_entries using looked
         where log_entries.id = looked.id and looked."timestamp" < ${before} returning log_entries.id)
      select (select count(*) from old) as removed, max(id) as last,
             coalesce(bool_or("timestamp" > ${new Date(now)}), false) as ahead
        from looked`.execute(db);
    const [looked] = rows;
    removed += looked?.removed ?? 0;
    if (!looked?.last || (looked.removed === 0 && !looked.ahead)) return removed;
    after = looked.last;
  }
}

interface Looked {
  readonly removed: number;
  /** The id of the last line looked at; null = there was none. */
  readonly last: number | null;
  /** Whether one of them is in the future. */
  readonly ahead: boolean;
}
