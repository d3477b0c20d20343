import type { Kysely } from 'kysely';
import type { Accounts } from '../accounts/accounts.ts';
import type { Batcher } from '../capture/batcher.ts';
import type { Stamps } from '../capture/stamps.ts';
import type { Config } from '../config.ts';
import type { Tables } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import type { IntegrationPorts } from '../integrations/integrations.ts';
import type { Sealer } from '../integrations/sealing.ts';
import type { SecretKeys } from '../integrations/secret-key.ts';
import type { Warehouse } from '../warehouse/warehouse.ts';
import type { Clock } from '../work/clock.ts';
import type { Report } from '../work/complaints.ts';
import type { HostGuard } from '../work/hosts.ts';
import type { Log } from '../work/log.ts';
import type { Queue } from '../work/queue.ts';

/** What several features are built from. */
export interface Base {
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
  readonly onStep: (step: string) => void;
  readonly db: Kysely<Tables>;
  readonly warehouse: Warehouse;
  readonly queue: Queue;
  readonly accounts: Accounts;
  /** The newest first; older ones still open what they sealed. */
  readonly secrets: SecretKeys;
  readonly sealer: Sealer;
  readonly guard: HostGuard;
  readonly integrations: IntegrationPorts;
  readonly stamps: Stamps;
  readonly batcher: Batcher;
  /** Told whether the warehouse holds the arrival watermark back for minutes. */
  readonly heldBack: Report;
  /** This process; no other has the same name, nor has this one after a start. */
  readonly workerName: string;
}

/**
 * Throws `destination_config` for a host that may not be reached, and `destination_unavailable` for a name that is not
 * found: it was when the export was made, so that it will be found again when the resolver is back.
 */
export const hostChecker =
  (guard: Pick<HostGuard, 'lookAt'>) =>
  async (host: string): Promise<void> => {
    const problem = await guard.lookAt(host);
    if (!problem) return;
    const code = problem.unresolved ? 'destination_unavailable' : 'destination_config';
    throw new SluiceError(code, { detail: problem.text });
  };

/** No other process works on this database. */
export const isAlone = ({ databaseUrl }: Pick<Config, 'databaseUrl'>): boolean => databaseUrl === undefined;
