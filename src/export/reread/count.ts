import type { Tally } from '../spec.ts';

/** What a reader of the destination finds in one file. */
export interface Reread {
  readonly tally: Tally;
  /** JSON Lines: rows whose JSON was changed to be valid. */
  readonly cleaned: number;
}
