import type { BatchExportRow } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import type { Destination } from '../export/destinations/destination.ts';
import { accept } from '../export/destinations/writes/write.ts';
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
  readonly sent: Config;
  readonly stored: Config | null;
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
  const { config: before, secretsLost } = stored
    ? storedConfig(ports, stored)
    : { config: null, secretsLost: false };
  const sentConfig = destination.tidy?.(config) ?? config;
  const merged = deepMerge(pinLegacyExtension(destination, before, sentConfig), sentConfig);
  checkIntegration(destination, integration, stored);
  if (secretsLost && !integration) askForSecrets(destination, merged);
  const problem = destination.check(merged);
  if (problem) throw refuse(problem);
  return {
    destination,
    config: merged,
    sent: config,
    stored: before,
    integrationId: integration?.id ?? null,
  };
}

/**
 * The rules that ask others: the integration's content, name servers. Call it outside of transactions. Throws as
 * `readDestination`.
 */
export async function acceptDestination(
  ports: Pick<ResourcePorts, 'db' | 'findIntegration' | 'openIntegration' | 'hosts' | 'filesFolder'>,
  teamId: number,
  { destination, integrationId, ...write }: WholeDestination,
): Promise<void> {
  if (!destination.accepts) return;
  const integration = integrationId === null ? null : await ports.openIntegration(teamId, integrationId);
  await accept(
    destination.accepts,
    { ...write, integration },
    {
      problemWithHost: ports.hosts.problemWith,
      allowsHost: ports.hosts.names,
      kindOf: async (id) => (await ports.findIntegration(ports.db, teamId, id))?.kind ?? null,
      folder: () => ports.filesFolder(teamId),
    },
  );
}

/** What is stored, as far as it can be read: the key that its secrets were sealed with may be lost. */
function storedConfig(
  ports: Pick<ResourcePorts, 'unseal'>,
  row: BatchExportRow,
): { readonly config: Config; readonly secretsLost: boolean } {
  try {
    return { config: wholeConfig(ports, row), secretsLost: false };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return { config: row.destination_config, secretsLost: true };
  }
}

/** Without an integration they are all there is to get in with. */
function askForSecrets({ config, secretKeys }: Destination, merged: Config): void {
  const missing = secretKeys.filter(
    (key) => Object.hasOwn(config.properties, key) && !Object.hasOwn(merged, key),
  );
  if (missing.length > 0)
    throw refuse(`The stored secrets cannot be read; send ${missing.join(', ')} again.`);
}

/** What to store of a destination. `id` is the export's: secrets open nowhere else. */
export function destinationColumns(
  ports: Pick<ResourcePorts, 'seal'>,
  id: string,
  whole: WholeDestination,
): DestinationColumns {
  const { open, secret } = splitSecrets(whole.config, whole.destination.secretKeys);
  return {
    destination_type: whole.destination.type,
    destination_config: JSON.stringify(open),
    destination_sealed:
      Object.keys(secret).length > 0 ? ports.seal(JSON.stringify(secret), contextOf(id)) : null,
    integration_id: whole.integrationId,
  };
}

/** The stored config with its secrets. Never log it. */
export function wholeConfig(
  ports: Pick<ResourcePorts, 'unseal'>,
  row: Pick<BatchExportRow, 'id' | 'destination_config' | 'destination_sealed'>,
): Config {
  const secret = secretsOf(ports, row);
  return secret === null ? row.destination_config : deepMerge(row.destination_config, secret);
}

/** The secret part of the stored config; null = there is none. Never log it. */
export const secretsOf = (
  ports: Pick<ResourcePorts, 'unseal'>,
  { id, destination_sealed: sealed }: Pick<BatchExportRow, 'id' | 'destination_sealed'>,
): Config | null => (sealed ? (JSON.parse(ports.unseal(sealed, contextOf(id))) as Config) : null);

/** Whether something failed because the key that secrets were sealed with is lost. */
export const isUnreadable = (error: unknown): boolean =>
  error instanceof SluiceError && error.code === 'secret_unreadable';

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

function checkIntegration(
  destination: Destination,
  integration: { kind: string } | null,
  stored: BatchExportRow | null,
): void {
  const wanted = destination.integration?.kind;
  if (wanted === undefined) return;
  if (!integration && destination.integration?.inline && stored?.integration_id === null) return;
  if (!integration) throw refuse(`${destination.title} needs an integration of kind ${wanted}.`);
  if (integration.kind !== wanted) {
    throw refuse(`${destination.title} needs an integration of kind ${wanted}, not ${integration.kind}.`);
  }
}

const refuse = (detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: 'destination', detail });
