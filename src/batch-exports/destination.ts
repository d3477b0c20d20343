import type { BatchExportRow } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import type { Destination } from '../export/destinations/destination.ts';
import {
  type Config,
  deepMerge,
  pinLegacyExtension,
  readDestinationConfig,
  splitSecrets,
} from './destination-config.ts';
import type { Db, ResourcePorts, Trx } from './ports.ts';
import type { WriteBody } from './schema.ts';

export interface DestinationColumns {
  readonly destination_type: string;
  readonly destination_config: string;
  readonly destination_sealed: string | null;
  readonly integration_id: number | null;
}

type SentDestination = NonNullable<WriteBody['destination']>;

/** A destination as sent, checked, with what was stored of it and not sent. Holds secrets: never log or return it. */
export interface WholeDestination {
  readonly destination: Destination;
  readonly config: Config;
  readonly integrationId: number | null;
}

/**
 * Checks a destination as sent, in the order of contract.md §4.3: integration, keys and types, change of type,
 * parquet names, the destination's own rules. `stored` null = create. `complete`: required keys must be sent (POST, PUT).
 */
export async function readDestination(
  db: Db | Trx,
  ports: Pick<ResourcePorts, 'destinations' | 'findIntegration' | 'unseal'>,
  teamId: number,
  sent: SentDestination,
  stored: BatchExportRow | null,
  complete: boolean,
): Promise<WholeDestination> {
  const destination = ports.destinations.get(sent.type);
  if (!destination) throw new SluiceError('invalid_choice', { attr: 'destination__type' });
  const integration = await readIntegration(
    db,
    ports,
    teamId,
    sent,
    destination.integration?.resent ? null : stored,
  );
  const config = readDestinationConfig(destination, sent.config as Config, { complete });
  if (stored && stored.destination_type !== sent.type) {
    throw refuse('The type of a destination cannot be changed; create another export.');
  }
  const before = stored ? wholeConfig(ports, stored) : null;
  const merged = deepMerge(pinLegacyExtension(destination, before, config), config);
  checkIntegration(destination, integration);
  const problem = destination.check(merged);
  if (problem) throw refuse(problem);
  return { destination, config: merged, integrationId: integration?.id ?? null };
}

/** What to store for a destination as sent; throws as `readDestination`. */
export async function destinationColumns(
  db: Db | Trx,
  ports: Pick<ResourcePorts, 'destinations' | 'findIntegration' | 'seal' | 'unseal'>,
  of: { readonly id: string; readonly teamId: number },
  sent: SentDestination,
  stored: BatchExportRow | null,
  complete: boolean,
): Promise<DestinationColumns> {
  const whole = await readDestination(db, ports, of.teamId, sent, stored, complete);
  const { open, secret } = splitSecrets(whole.config, whole.destination.secretKeys);
  return {
    destination_type: sent.type,
    destination_config: JSON.stringify(open),
    destination_sealed:
      Object.keys(secret).length > 0 ? ports.seal(JSON.stringify(secret), contextOf(of.id)) : null,
    integration_id: whole.integrationId,
  };
}

/** The stored config with its secrets. Never log it. */
export function wholeConfig(
  ports: Pick<ResourcePorts, 'unseal'>,
  row: Pick<BatchExportRow, 'id' | 'destination_config' | 'destination_sealed'>,
): Config {
  if (!row.destination_sealed) return row.destination_config;
  const secret = JSON.parse(ports.unseal(row.destination_sealed, contextOf(row.id))) as Config;
  return deepMerge(row.destination_config, secret);
}

const contextOf = (exportId: string) => `batch-export:${exportId}`;

/** `integration_id` is the same value by another name, and wins. Not sent: what is stored stays. */
async function readIntegration(
  db: Db | Trx,
  ports: Pick<ResourcePorts, 'findIntegration'>,
  teamId: number,
  sent: SentDestination,
  stored: BatchExportRow | null,
): Promise<{ id: number; kind: string } | null> {
  const name = sent.integration_id === undefined ? 'integration' : 'integration_id';
  const id = sent[name] === undefined ? (stored?.integration_id ?? null) : sent[name];
  if (id === null) return null;
  const found = await ports.findIntegration(db, teamId, id);
  if (found) return found;
  throw new SluiceError('does_not_exist', {
    attr: `destination__${name}`,
    detail: `Invalid pk "${id}" - object does not exist.`,
  });
}

function checkIntegration(destination: Destination, integration: { kind: string } | null): void {
  const wanted = destination.integration?.kind;
  if (wanted === undefined) return;
  if (!integration) throw refuse(`${destination.title} needs an integration of kind ${wanted}.`);
  if (integration.kind !== wanted) {
    throw refuse(`${destination.title} needs an integration of kind ${wanted}, not ${integration.kind}.`);
  }
}

const refuse = (detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: 'destination', detail });
