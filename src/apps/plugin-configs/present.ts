import { Type } from 'typebox';
import type { PluginConfigRow } from '../../database/tables.ts';
import { formatTimestamp } from '../../http/timestamps.ts';
import type { Organization } from '../api-ports.ts';
import type { App } from '../catalogue/app.ts';
import { PluginSchema, presentPlugin } from '../plugins/present.ts';
import type { AppsPorts } from '../ports.ts';
import { openIfReadable } from '../sealed-config.ts';
import { type Config, MASK } from './config.ts';
import type { LiveError } from './store.ts';

const Maybe = Type.Union([Type.String(), Type.Null()]);

export const PluginConfigSchema = Type.Object({
  id: Type.Integer(),
  plugin: Type.Integer(),
  enabled: Type.Boolean(),
  order: Type.Integer(),
  config: Type.Record(Type.String(), Type.Unknown(), {
    description: `Secrets that are stored read "${MASK}"; sent back, that keeps them.`,
  }),
  error: Type.Union(
    [
      Type.Object({
        message: Type.String(),
        time: Type.Union([Type.String({ format: 'date-time' }), Type.Null()]),
      }),
      Type.Null(),
    ],
    { description: 'What delivery fails with at present, and since when.' },
  ),
  team_id: Type.Integer(),
  plugin_info: Type.Union([PluginSchema, Type.Null()]),
  delivery_rate_24h: Type.Union([Type.Number(), Type.Null()], {
    description: 'Of the deliveries of the last 24 hours, how many succeeded: 0 to 1.',
  }),
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
  name: Maybe,
  description: Maybe,
  deleted: Type.Boolean(),
});

export interface Surroundings {
  readonly organization: Organization;
  /** By plugin config. Null: the warehouse could not be asked. */
  readonly rates: ReadonlyMap<number, number> | null;
  readonly errors: ReadonlyMap<number, LiveError>;
}

export function presentConfig(
  ports: Pick<AppsPorts, 'apps' | 'unseal'>,
  row: PluginConfigRow,
  { organization, rates, errors }: Surroundings,
) {
  const app = ports.apps.get(row.plugin_id);
  const error = errors.get(row.id);
  return {
    id: row.id,
    plugin: row.plugin_id,
    enabled: row.enabled,
    order: row.order,
    config: app ? masked(ports, app, row) : row.config,
    error: error ? { message: error.message, time: error.since && formatTimestamp(error.since) } : null,
    team_id: row.team_id,
    plugin_info: app ? presentPlugin(app, organization) : null,
    delivery_rate_24h: rates === null ? null : (rates.get(row.id) ?? 1),
    created_at: formatTimestamp(row.created_at),
    updated_at: formatTimestamp(row.updated_at),
    name: row.name,
    description: row.description,
    deleted: row.deleted_at !== null,
  };
}

/** Masks each stored secret; when the key is lost, each field that may hold one. */
function masked(ports: Pick<AppsPorts, 'unseal'>, app: App, row: PluginConfigRow): Config {
  if (row.sealed === null) return row.config;
  const secrets = app.fields.filter(({ secret }) => secret).map(({ key }) => key);
  const stored = openIfReadable(ports, row);
  const shown = secrets.filter((key) => stored === null || Object.hasOwn(stored, key));
  return { ...row.config, ...Object.fromEntries(shown.map((key) => [key, MASK])) };
}
