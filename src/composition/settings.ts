import type { Gates } from '../batch-exports/ports.ts';
import type { Config } from '../config.ts';
import { settleDelayOf } from '../settle-delay.ts';
import { isAlone } from './base.ts';

type Timing = Pick<Config, 'databaseUrl' | 'clickhouseUrl' | 'settleSeconds'>;

/** Longer than an insert into a healthy ClickHouse takes. */
const BRIEF_MS = 5_000;

/** What to tell at the start where captured events have so little time to be inserted that it ends healthy inserts; else null. */
export function briefSettleDelay(config: Timing): string | null {
  const limitMs = repeatWithin(config);
  if (limitMs === null || limitMs >= BRIEF_MS) return null;
  return (
    `SLUICE_SETTLE_SECONDS leaves captured events ${limitMs / 1000} s to be inserted, half the settle delay, since other processes may ` +
    'export without them after that: requests whose insert takes longer are answered 503. Ten seconds or more are safe.'
  );
}

/**
 * How long after their stamp captured events may be inserted again, milliseconds: half the shortest settle delay.
 * Null = no limit: for the only process, and where the delay is 0, which protects nobody from late rows anyway.
 */
export function repeatWithin(config: Timing): number | null {
  const settleMs = settleDelayOf(config)('every 5 minutes');
  return isAlone(config) || settleMs === 0 ? null : settleMs / 2;
}

/** Features by upstream's names of them (contract.md §1.8). */
export const gatesOf = ({ closedGates }: Pick<Config, 'closedGates'>): Gates => ({
  highFrequency: !closedGates.includes('high-frequency-batch-exports'),
  hogql: !closedGates.includes('hogql-batch-exports'),
  workflows: !closedGates.includes('backfill-workflows-destination'),
  earliestBackfill: !closedGates.includes('batch-export-earliest-backfill'),
});
