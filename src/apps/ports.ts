import type { Kysely, Transaction } from 'kysely';
import type { Tables } from '../database/tables.ts';
import type { Clock } from '../work/clock.ts';
import type { App } from './catalogue/app.ts';

export type Db = Kysely<Tables>;
export type Trx = Transaction<Tables>;

/** One row of the activity log. */
export interface Activity {
  readonly organizationId: string | null;
  readonly teamId: number;
  /** Null = Sluice itself. */
  readonly userId: number | null;
  readonly scope: 'PluginConfig';
  readonly itemId: string;
  readonly activity: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What everything of this feature needs. */
export interface AppsPorts {
  readonly db: Db;
  readonly clock: Clock;
  /** Time-ordered UUIDs (version 7). */
  readonly newId: () => string;
  readonly apps: ReadonlyMap<number, App>;
  /** `context` names the place the secret belongs to; it opens nowhere else (`sealed-config.ts`). */
  readonly seal: (text: string, context: string) => string;
  readonly unseal: (sealed: string, context: string) => string;
  /** Whether the key that seals now has sealed it. */
  readonly isCurrent: (sealed: string) => boolean;
  /** Null when the host may be reached, else what is wrong with it. */
  readonly problemWithHost: (host: string) => Promise<string | null>;
  /** An app gets what arrives from `ms` on, milliseconds since the epoch: no later event may be stamped below it. */
  readonly onTurnedOn: (ms: number) => void;
  /** As in batch exports: everything that a project's clients know to be stored arrived before it. */
  readonly arrivedBefore: (teamId: number) => Promise<number>;
  /** Writes in the caller's transaction: the row exists exactly when the change does. */
  readonly recordActivity: (trx: Trx, activity: Activity) => Promise<void>;
}
