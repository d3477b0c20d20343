import type { Gates } from '../batch-exports/ports.ts';
import type { Config } from '../config.ts';
import { settleDelayOf } from '../settle-delay.ts';
import { isAlone } from './base.ts';

/**
 * How long after their stamp captured events may be inserted again, milliseconds: half the shortest settle delay.
 * Null = no limit: for the only process, and where the delay is 0, which protects nobody from late rows anyway.
 */
export function repeatWithin(config: Config): number | null {
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
