import type { Gates } from '../batch-exports/ports.ts';
import type { Config } from '../config.ts';
import { isAlone } from './base.ts';

/** Upstream's waits (engine.md §1.3): replicas need time. Our own engine has none. */
const SETTLE_MS = 60_000;
const SETTLE_FIVE_MINUTES_MS = 30_000;

/** How long after its end an interval is read, milliseconds, by the interval's name. */
export function settle({
  settleSeconds,
  clickhouseUrl,
}: Pick<Config, 'settleSeconds' | 'clickhouseUrl'>): (interval: string) => number {
  if (settleSeconds !== null) return () => settleSeconds * 1000;
  if (clickhouseUrl === undefined) return () => 0;
  return (interval) => (interval === 'every 5 minutes' ? SETTLE_FIVE_MINUTES_MS : SETTLE_MS);
}

/**
 * How long after their stamp captured events may be inserted again, milliseconds: half the shortest settle delay.
 * Null = no limit: for the only process, and where the delay is 0, which protects nobody from late rows anyway.
 */
export function repeatWithin(config: Config): number | null {
  const settleMs = settle(config)('every 5 minutes');
  return isAlone(config) || settleMs === 0 ? null : settleMs / 2;
}

/** Features by upstream's names of them (contract.md §1.8). */
export const gatesOf = ({ closedGates }: Pick<Config, 'closedGates'>): Gates => ({
  highFrequency: !closedGates.includes('high-frequency-batch-exports'),
  hogql: !closedGates.includes('hogql-batch-exports'),
  workflows: !closedGates.includes('backfill-workflows-destination'),
  earliestBackfill: !closedGates.includes('batch-export-earliest-backfill'),
});
