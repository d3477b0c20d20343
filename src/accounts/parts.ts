import type { Clock } from '../work/clock.ts';
import type { RandomBytes } from './keys.ts';
import type { PasswordCost } from './passwords.ts';
import type { Db } from './store.ts';

/** What the accounts feature is built from. */
export interface AccountsParts {
  readonly db: Db;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: RandomBytes;
  /** Tests take a cheap one. */
  readonly passwordCost?: PasswordCost;
}
