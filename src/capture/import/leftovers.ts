import type { Warehouse } from '../../warehouse/warehouse.ts';
import type { Clock } from '../../work/clock.ts';
import { type Loop, loop } from '../../work/loop.ts';

/** How tables of imports are named. */
export const STAGE_PREFIX = 'sluice_import_';

/** How often a living import says so. */
const SIGN_MS = 60_000;
/** One that has said nothing for so long was killed, or its machine sleeps: it fails when it wakes, and is repeated. */
const DEAD_SECONDS = 600;

/** Shows that whoever stages in `table` lives, in the one thing that all others see of it: when it was changed last. */
export function signsOfLife(warehouse: Pick<Warehouse, 'command'>, table: string, clock: Clock): Loop {
  const sign = async () => {
    await warehouse.command({ sql: `ALTER TABLE ${table} MODIFY COMMENT '${clock.now()}'` });
    return undefined;
  };
  // Its own statements tell of whatever is wrong with the warehouse.
  return loop(clock, SIGN_MS, sign, { failed: () => {}, worked: () => {} });
}

/** Removes the tables of imports that were killed. */
export async function removeDeadStages(warehouse: Pick<Warehouse, 'rows' | 'command'>): Promise<void> {
  const dead = await warehouse.rows<{ name: string }>({
    sql: `SELECT name FROM system.tables WHERE database = currentDatabase() AND startsWith(name, {prefix:String})
          AND metadata_modification_time < now() - {seconds:UInt32}`,
    params: { prefix: STAGE_PREFIX, seconds: DEAD_SECONDS },
  });
  for (const { name } of dead) {
    if (/^\w+$/.test(name)) await warehouse.command({ sql: `DROP TABLE IF EXISTS ${name}` });
  }
}
