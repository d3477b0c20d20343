import type { PluginConfigRow } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import type { App } from './catalogue/app.ts';
import type { AppsPorts } from './ports.ts';

type Fields = Readonly<Record<string, unknown>>;
type Place = Pick<PluginConfigRow, 'team_id' | 'plugin_id'>;

/** What is stored of a config: secrets apart, sealed; null when it has none. */
export interface StoredConfig {
  readonly config: Fields;
  readonly sealed: string | null;
}

/** A sealed secret copied to another project or app does not open there. */
const contextOf = ({ team_id, plugin_id }: Place) => `plugin config:${team_id}:${plugin_id}`;

/** Parts a complete config into what may be shown and what is sealed. */
export function sealConfig(
  { seal }: Pick<AppsPorts, 'seal'>,
  app: App,
  place: Place,
  config: Fields,
): StoredConfig {
  const isSecret = new Set(app.fields.filter(({ secret }) => secret).map(({ key }) => key));
  const parts = Object.groupBy(Object.entries(config), ([key]) => (isSecret.has(key) ? 'secret' : 'open'));
  const secrets = Object.fromEntries(parts.secret ?? []);
  return {
    config: Object.fromEntries(parts.open ?? []),
    sealed: parts.secret ? seal(JSON.stringify(secrets), contextOf(place)) : null,
  };
}

/** The complete config, secrets included: never log or return it. Throws `secret_unreadable`. */
export function openConfig(
  { unseal }: Pick<AppsPorts, 'unseal'>,
  row: Place & Pick<PluginConfigRow, 'config' | 'sealed'>,
): Fields {
  if (row.sealed === null) return row.config;
  return { ...row.config, ...(JSON.parse(unseal(row.sealed, contextOf(row))) as Fields) };
}

/** The same; null when the key of its secrets is lost. */
export function openIfReadable(
  ports: Pick<AppsPorts, 'unseal'>,
  row: Place & Pick<PluginConfigRow, 'config' | 'sealed'>,
): Fields | null {
  try {
    return openConfig(ports, row);
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'secret_unreadable') return null;
    throw error;
  }
}
