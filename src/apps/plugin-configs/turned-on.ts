import type { Clock } from '../../work/clock.ts';
import type { Db } from '../ports.ts';

const DAY_MS = 86_400_000;

/**
 * When an app that is on was last turned on, milliseconds since the epoch; 0 = none. It gets what arrives from then on:
 * events must not be stamped below it, also after the clock was set back. What is more than a day ahead of the clock
 * counts for nothing: new events would be hidden until that day comes.
 */
export async function lastTurnedOn(db: Db, clock: Pick<Clock, 'now'>): Promise<number> {
  const row = await db
    .selectFrom('plugin_configs')
    .select((eb) => eb.fn.max('enabled_at').as('at'))
    .where('enabled', '=', true)
    .where('deleted_at', 'is', null)
    .where('enabled_at', '<', new Date(clock.now() + DAY_MS))
    .executeTakeFirst();
  return row?.at?.getTime() ?? 0;
}

/** How many apps of a project are on. */
export async function appsTurnedOn(db: Db, teamId: number): Promise<number> {
  const { count } = await db
    .selectFrom('plugin_configs')
    .select((eb) => eb.fn.countAll<number | string>().as('count'))
    .where('team_id', '=', teamId)
    .where('enabled', '=', true)
    .where('deleted_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(count);
}
