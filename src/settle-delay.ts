import type { Config } from './config.ts';

/** Upstream's waits (engine.md §1.3): replicas need time. Our own engine has none. */
const SETTLE_MS = 60_000;
const SETTLE_FIVE_MINUTES_MS = 30_000;

/** How long after its end an interval is read, milliseconds, by the interval's name. */
export function settleDelayOf({
  settleSeconds,
  clickhouseUrl,
}: Pick<Config, 'settleSeconds' | 'clickhouseUrl'>): (interval: string) => number {
  if (settleSeconds !== null) return () => settleSeconds * 1000;
  if (clickhouseUrl === undefined) return () => 0;
  return (interval) => (interval === 'every 5 minutes' ? SETTLE_FIVE_MINUTES_MS : SETTLE_MS);
}
