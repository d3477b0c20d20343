import { isDeepStrictEqual } from 'node:util';
import type { Static } from 'typebox';
import type { PluginConfigRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import type { Actor } from '../../http/actor.ts';
import { refuseUnkeepable } from '../../http/keepable.ts';
import type { AppsPorts, Trx } from '../ports.ts';
import { openIfReadable, sealConfig } from '../sealed-config.ts';
import { type Config, readConfig } from './config.ts';
import type { ChangeBody, CreateBody } from './schema.ts';
import { findConfig, lockedConfig, nextOrder, updateConfig } from './store.ts';

/** Turns an app on, or stores how it would be. Throws `does_not_exist` for no such app, and as `readConfig`. */
export async function createConfig(
  ports: AppsPorts,
  actor: Actor,
  body: Static<typeof CreateBody>,
): Promise<PluginConfigRow> {
  const app = ports.apps.get(body.plugin);
  if (!app) {
    throw new SluiceError('does_not_exist', {
      attr: 'plugin',
      detail: `Invalid pk "${body.plugin}" - object does not exist.`,
    });
  }
  const config = await readConfig(ports, app, fieldsOf(body.config) ?? {}, null);
  const stored = sealConfig(ports, app, { team_id: actor.teamId, plugin_id: app.id }, config);
  const enabled = body.enabled ?? false;
  return ports.db.transaction().execute(async (trx) => {
    const now = new Date(ports.clock.now());
    const row = await trx
      .insertInto('plugin_configs')
      .values({
        team_id: actor.teamId,
        plugin_id: app.id,
        enabled,
        order: body.order ?? (await nextOrder(trx, actor.teamId)),
        name: body.name ?? null,
        description: body.description ?? null,
        config: JSON.stringify(stored.config),
        sealed: stored.sealed,
        created_by: actor.userId,
        created_at: now,
        updated_at: now,
        enabled_at: enabled ? now : null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await record(trx, ports, actor, row, 'created', {
      plugin: app.slug,
      enabled,
      config: Object.keys(config),
    });
    if (enabled) ports.onTurnedOn(now.getTime());
    return row;
  });
}

/**
 * Changes what is sent. From the moment an app is turned on, events go to it; turned off and on again, what arrived in
 * between does not. The config is checked before the transaction: that asks for addresses of hosts, and nothing else could use an
 * embedded database meanwhile.
 */
export async function changeConfig(
  ports: AppsPorts,
  actor: Actor,
  id: string | undefined,
  body: Static<typeof ChangeBody>,
): Promise<PluginConfigRow> {
  const read = await findConfig(ports.db, actor.teamId, id);
  const sent = fieldsOf(body.config);
  const columns = sent === undefined ? {} : await configColumns(ports, read, sent);
  const changed = await ports.db.transaction().execute(async (trx) => {
    const row = await lockedConfig(trx, actor.teamId, id);
    if (sent !== undefined && !sameConfig(row, read)) return null;
    const now = new Date(ports.clock.now());
    const { enabled = row.enabled } = body;
    const activity = enabled === row.enabled ? 'updated' : enabled ? 'enabled' : 'disabled';
    await record(trx, ports, actor, row, activity, {
      fields: Object.keys(body),
      ...(sent === undefined ? {} : { config: Object.keys(sent) }),
    });
    if (enabled && !row.enabled) ports.onTurnedOn(now.getTime());
    return updateConfig(trx, row.id, {
      ...columns,
      enabled,
      ...(enabled && !row.enabled ? { enabled_at: now } : {}),
      ...(body.order === undefined ? {} : { order: body.order }),
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.description === undefined ? {} : { description: body.description }),
      updated_at: now,
    });
  });
  // Someone changed it in between: theirs first, then ours.
  return changed ?? changeConfig(ports, actor, id, body);
}

const sameConfig = (one: PluginConfigRow, other: PluginConfigRow): boolean =>
  one.sealed === other.sealed && JSON.stringify(one.config) === JSON.stringify(other.config);

/** Nothing for a config that is as it was. */
async function configColumns(ports: AppsPorts, row: PluginConfigRow, sent: Config) {
  const app = ports.apps.get(row.plugin_id);
  // An app of another version of Sluice: what it wants is not known here.
  if (!app) throw new SluiceError('invalid_input', { attr: 'config', detail: 'This app is not available.' });
  const opened = openIfReadable(ports, row);
  const config = await readConfig(ports, app, sent, opened ?? row.config, opened === null);
  // Sealed anew it would look like another one, and cut off what is on its way. Only a rotated key is worth that.
  const sealedAnew = row.sealed !== null && !ports.isCurrent(row.sealed);
  if (isDeepStrictEqual(config, opened) && !sealedAnew) return {};
  const stored = sealConfig(ports, app, row, config);
  return { config: JSON.stringify(stored.config), sealed: stored.sealed };
}

/** Ends its deliveries. Its metrics and historical exports stay readable. */
export async function removeConfig(ports: AppsPorts, actor: Actor, id: string | undefined): Promise<void> {
  await ports.db.transaction().execute(async (trx) => {
    const row = await lockedConfig(trx, actor.teamId, id);
    const now = new Date(ports.clock.now());
    await updateConfig(trx, row.id, { enabled: false, deleted_at: now, updated_at: now });
    await record(trx, ports, actor, row, 'deleted', { plugin: row.plugin_id, name: row.name });
  });
}

/** Forms send objects as JSON text, in which escapes may hide what no database keeps. */
function fieldsOf(sent: Config | string | undefined): Config | undefined {
  if (typeof sent !== 'string') return sent;
  const parsed = parse(sent);
  refuseUnkeepable(parsed, 'config');
  if (parsed !== null && typeof parsed === 'object' && !Array.isArray(parsed)) return parsed as Config;
  throw new SluiceError('not_a_dict', { attr: 'config' });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Names of what changed, never values: some are secret. */
const record = (
  trx: Trx,
  ports: AppsPorts,
  actor: Actor,
  row: PluginConfigRow,
  activity: string,
  detail: Readonly<Record<string, unknown>>,
): Promise<void> =>
  ports.recordActivity(trx, {
    ...actor,
    scope: 'PluginConfig',
    itemId: String(row.id),
    activity,
    detail,
  });
