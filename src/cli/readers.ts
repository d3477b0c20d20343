import { appsTurnedOn, lastTurnedOn } from '../apps/plugin-configs/turned-on.ts';
import { newestRead } from '../batch-exports/schedule/newest-read.ts';
import { activeExports } from '../batch-exports/store.ts';
import type { Config } from '../config.ts';
import type { Clock } from '../work/clock.ts';
import { askDatabase } from './ask-database.ts';
import { hasPart } from './installation.ts';

/** Who reads what arrives in a project. */
export interface Readers {
  /**
   * Up to when, by arrival, exports and apps may have read, milliseconds since the epoch: what is imported must not be stamped
   * below it, also after the clock was set back.
   */
  readonly readSoFar: number;
  /** Exports of the project whose schedule is active, and its apps that are on: what arrives goes out through them. */
  readonly exports: number;
  readonly apps: number;
}

const NOBODY: Readers = { readSoFar: 0, exports: 0, apps: 0 };

/** Nobody where nobody here can know: without a database, and while a server holds the embedded one. */
export async function readersOf(
  project: number,
  where: Pick<Config, 'dataDir' | 'databaseUrl' | 'clickhouseUrl'>,
  clock: Pick<Clock, 'now'>,
): Promise<Readers> {
  if (!hasPart('database', where)) return NOBODY;
  const found = await askDatabase(where, async (db) => ({
    readSoFar: Math.max(await newestRead(db, clock), await lastTurnedOn(db, clock)),
    exports: await activeExports(db, project),
    apps: await appsTurnedOn(db, project),
  }));
  return found ?? NOBODY;
}

/** What to tell somebody who is about to import; null = nothing. */
export function whereItGoes({ exports, apps }: Readers): string | null {
  const named = [
    ...(exports > 0 ? [`${exports} active export${exports === 1 ? '' : 's'}`] : []),
    ...(apps > 0 ? [`${apps} app${apps === 1 ? '' : 's'} turned on`] : []),
  ];
  if (named.length === 0) return null;
  return `This project has ${named.join(' and ')}: what is imported goes out through all of them, as events that arrive now.`;
}
