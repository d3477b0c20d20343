import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Clock } from '../../work/clock.ts';
import { silent } from '../../work/complaints.ts';
import { type Loop, loop } from '../../work/loop.ts';

/** How tables of imports are named. Their comment is when their import last said that it lives: seconds since the epoch. */
export const STAGE_PREFIX = 'sluice_import_';

/** How often it does. */
const SIGN_MS = 60_000;
/** One that has said nothing for so long was killed, or its machine sleeps: it fails when it wakes, and is repeated. */
const DEAD_SECONDS = 600;

/**
 * Now, for a comment, by the one clock that all imports share: the warehouse's. (When a table was changed last is no sign of life:
 * the embedded engine says 1970.)
 */
export async function lifeSign(warehouse: Pick<Warehouse, 'rows'>): Promise<string> {
  const [row] = await warehouse.rows<{ now: string | number }>({
    sql: 'SELECT toUnixTimestamp(now()) AS now',
  });
  return `${Number(row?.now ?? 0)}`;
}

/** Says that whoever stages in `table` lives, now and from time to time. Throws when that may not be said. */
export async function signsOfLife(
  warehouse: Pick<Warehouse, 'rows' | 'command'>,
  table: string,
  clock: Clock,
): Promise<Loop> {
  const sign = async () => {
    await warehouse.command({ sql: `ALTER TABLE ${table} MODIFY COMMENT '${await lifeSign(warehouse)}'` });
    return undefined;
  };
  await sign();
  // From here on its own statements tell of whatever is wrong with the warehouse.
  return loop(clock, SIGN_MS, sign, silent);
}

/** Removes the tables of imports that were killed. */
export async function removeDeadStages(warehouse: Pick<Warehouse, 'rows' | 'command'>): Promise<void> {
  const dead = await warehouse.rows<{ name: string }>({
    sql: `SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String})
          AND toUInt64OrZero(comment) + {seconds:UInt32} < toUnixTimestamp(now())`,
    params: { prefix: STAGE_PREFIX, seconds: DEAD_SECONDS },
  });
  for (const { name } of dead) {
    if (/^\w+$/.test(name)) await warehouse.command({ sql: `DROP TABLE IF EXISTS ${name}` });
  }
}
