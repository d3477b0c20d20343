import { lastTurnedOn } from '../apps/plugin-configs/turned-on.ts';
import { newestRead } from '../batch-exports/schedule/newest-read.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../work/clock.ts';
import { askDatabase } from './ask-database.ts';
import { hasPart } from './installation.ts';

/**
 * Up to when, by arrival, exports and apps may have read, milliseconds since the epoch: what is imported must not be stamped
 * below it, also after the clock was set back. 0 where nobody here can know: without a database, and while a
 * server holds the embedded one.
 */
export async function readSoFar(
  where: Pick<Config, 'dataDir' | 'databaseUrl' | 'clickhouseUrl'>,
  clock: Pick<Clock, 'now'>,
): Promise<number> {
  if (!hasPart('database', where)) return 0;
  const both = await askDatabase(where, async (db) => [
    await newestRead(db, clock),
    await lastTurnedOn(db, clock),
  ]);
  return Math.max(0, ...(both ?? []));
}
