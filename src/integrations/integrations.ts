import { SluiceError } from '../errors/error.ts';
import type { Actor } from '../http/actor.ts';
import type { Clock } from '../work/clock.ts';
import type { Fields, KindPorts } from './kind.ts';
import { kinds } from './kinds.ts';
import type { Sealer } from './sealing.ts';
import {
  type Db,
  deleteIntegration,
  findByIdentity,
  findIntegration,
  type IntegrationRow,
  insertIntegration,
  organizationOfProject,
  replaceIntegration,
} from './store.ts';

/** One row of the activity log. */
export interface Activity {
  readonly organizationId: string;
  readonly teamId: number;
  readonly userId: number;
  readonly scope: 'Integration';
  readonly itemId: string;
  readonly activity: 'created' | 'updated' | 'deleted';
  readonly detail: Readonly<Record<string, unknown>>;
}

/** What the feature needs of others. */
export interface IntegrationPorts extends KindPorts {
  readonly db: Db;
  readonly clock: Pick<Clock, 'now'>;
  readonly sealer: Sealer;
  /** In the caller's transaction. */
  readonly recordActivity: (db: Db, activity: Activity) => Promise<void>;
  /** 1 member, 8 administrator, 15 owner, 0 none. */
  readonly membershipLevel: (userId: number, organizationId: string) => Promise<number>;
  /** Names of the batch exports that use an integration; empty = it may go. */
  readonly usedBy: (db: Db, teamId: number, integrationId: number) => Promise<readonly string[]>;
  /** Cuts the ties of deleted batch exports, which keep their row, to an integration about to go. */
  readonly letGo: (db: Db, teamId: number, integrationId: number) => Promise<void>;
}

const ADMINISTRATOR = 8;

/**
 * Stores credentials, or replaces those of the same identity where the kind does so. Throws `invalid_input` with attr null
 * for what §10 of the contract refuses, `permission_denied` for a replacement by less than an administrator.
 */
export async function createIntegration(
  ports: IntegrationPorts,
  actor: Actor,
  sent: { readonly kind: string; readonly config?: Fields },
): Promise<IntegrationRow> {
  const kind = kinds.get(sent.kind);
  if (!kind) throw new SluiceError('invalid_choice', { attr: 'kind' });
  const { identity, config, secrets, replaces } = await kind.read(sent.config ?? {}, ports);
  const level = replaces ? await ports.membershipLevel(actor.userId, actor.organizationId) : 0;
  const sealed = ports.sealer.seal(JSON.stringify(secrets), contextOf(actor.teamId, kind.kind));
  return ports.db.transaction().execute(async (trx) => {
    const known = replaces ? await findByIdentity(trx, actor.teamId, kind.kind, identity) : null;
    if (known) {
      if (level < ADMINISTRATOR) {
        throw new SluiceError('permission_denied', {
          detail: 'There is such an integration already; only an administrator may replace it.',
        });
      }
      const replaced = await replaceIntegration(trx, known.id, { config, sealed });
      await ports.recordActivity(trx, activityOf(actor, replaced, 'updated'));
      return replaced;
    }
    const row = await insertIntegration(trx, {
      teamId: actor.teamId,
      kind: kind.kind,
      identity,
      config,
      sealed,
      createdBy: actor.userId,
      createdAt: new Date(ports.clock.now()),
    });
    if (!row) {
      throw new SluiceError('invalid_input', {
        detail: `There is an integration of kind ${kind.kind} named "${identity}" already.`,
      });
    }
    await ports.recordActivity(trx, activityOf(actor, row, 'created'));
    return row;
  });
}

/** Throws `permission_denied` below administrator, `invalid_input` while exports use it. */
export async function removeIntegration(ports: IntegrationPorts, actor: Actor, id: number): Promise<void> {
  if ((await ports.membershipLevel(actor.userId, actor.organizationId)) < ADMINISTRATOR) {
    throw new SluiceError('permission_denied', {
      detail: 'Only an administrator may delete an integration.',
    });
  }
  await ports.db.transaction().execute(async (trx) => {
    const row = await findIntegration(trx, actor.teamId, id);
    if (!row) throw new SluiceError('not_found');
    const users = await ports.usedBy(trx, actor.teamId, id);
    if (users.length > 0) {
      const names = users.map((name) => `"${name}"`).join(', ');
      throw new SluiceError('invalid_input', {
        detail: `The integration is in use by batch exports: ${names}.`,
      });
    }
    await ports.letGo(trx, actor.teamId, id);
    await deleteIntegration(trx, id).catch(refuseIfReferenced);
    await ports.recordActivity(trx, activityOf(actor, row, 'deleted'));
  });
}

const FOREIGN_KEY_VIOLATION = '23503';

/** A batch export that took it between the check and now. */
function refuseIfReferenced(error: unknown): never {
  if ((error as { code?: unknown }).code !== FOREIGN_KEY_VIOLATION) throw error;
  throw new SluiceError('invalid_input', {
    detail: 'The integration is in use by a batch export.',
    cause: error,
  });
}

/** An integration opened for use: never log or return it. */
export interface OpenIntegration {
  readonly kind: string;
  readonly config: Fields;
  readonly secrets: Fields;
}

/** For the engine. Null when the project has no such integration; throws `secret_unreadable`. */
export async function openIntegration(
  { db, sealer }: Pick<IntegrationPorts, 'db' | 'sealer'>,
  teamId: number,
  id: number,
): Promise<OpenIntegration | null> {
  const row = await findIntegration(db, teamId, id);
  if (!row) return null;
  const secrets = JSON.parse(sealer.unseal(row.sealed, contextOf(teamId, row.kind))) as Fields;
  const { atUse } = kinds.get(row.kind) ?? {};
  const added = atUse?.(row.config, await organizationOfProject(db, teamId));
  return { kind: row.kind, config: row.config, secrets: { ...secrets, ...added } };
}

/** A sealed secret copied to another project or kind does not open there. */
const contextOf = (teamId: number, kind: string) => `integration:${teamId}:${kind}`;

const activityOf = (actor: Actor, row: IntegrationRow, activity: Activity['activity']): Activity => ({
  ...actor,
  scope: 'Integration',
  itemId: String(row.id),
  activity,
  detail: { kind: row.kind, config: row.config },
});
