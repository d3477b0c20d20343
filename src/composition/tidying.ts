import { complaints } from '../work/complaints.ts';
import { loop } from '../work/loop.ts';
import type { Base } from './base.ts';

/**
 * Removes what has had its time, every `pauseMs` until the stack is disposed of; on standby nothing is removed. `what` is told
 * in the log when it fails.
 */
export function tidyEvery(
  { clock, config, log }: Pick<Base, 'clock' | 'config' | 'log'>,
  stack: Pick<AsyncDisposableStack, 'defer'>,
  pauseMs: number,
  remove: () => Promise<unknown>,
  what: string,
): void {
  if (config.standby) return;
  const tidying = loop(clock, pauseMs, async () => void (await remove()), complaints(log, clock, what));
  stack.defer(() => tidying.stop());
}
