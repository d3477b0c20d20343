import type { Clock } from '../../work/clock.ts';
import { type Loop, loop } from '../../work/loop.ts';
import { checkpointIfDue } from './checkpoint.ts';
import { freezeOldest } from './freeze.ts';
import type { PgliteThread } from './pglite-thread.ts';
import { vacuumNeedy } from './vacuum.ts';

/** As long as Postgres' own launcher of vacuums naps (`autovacuum_naptime`). */
const NAP_MS = 60_000;

/**
 * What a Postgres server's background processes do by themselves: dead rows and the write-ahead log give their room back, and
 * no number of a transaction is remembered for ever. A vacuum that fails keeps no checkpoint from its turn.
 */
export function startTidying(
  pglite: Pick<PgliteThread, 'query' | 'exec'>,
  clock: Clock,
  onError: (error: unknown) => void,
  onFreeze?: (table: string) => void,
): Loop {
  let starting = true;
  const turn = async () => {
    // Nothing has changed yet, and the start shall not wait.
    if (!starting) {
      await vacuumNeedy(pglite).catch(onError);
      await freezeOldest(pglite, undefined, onFreeze).catch(onError);
      await checkpointIfDue(pglite);
    }
    starting = false;
    return undefined;
  };
  return loop(clock, NAP_MS, turn, { failed: onError, worked: () => {} });
}
