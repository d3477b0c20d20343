import { v7 } from 'uuid';
import { SluiceError } from '../errors/error.ts';
import { activityRecorder } from './activity.ts';
import { hashKey, maskKey, newPersonalApiKey } from './keys.ts';
import type { AccountsParts } from './parts.ts';
import { type Db, insertKey, listKeys, listOrganizations, projectsOpenTo } from './store.ts';

export interface NewKey {
  readonly userId: number;
  readonly label: string;
  /** `object:read`, `object:write` or `*`. */
  readonly scopes: readonly string[];
  /** Null = every project the user may enter. */
  readonly projects: readonly number[] | null;
  readonly organizations: readonly string[] | null;
  /** A given key instead of a random one. */
  readonly key?: string;
}

/** What may be shown of a key after its creation. */
export interface KeyInfo {
  readonly id: string;
  readonly userId: number;
  readonly label: string;
  readonly mask: string;
  readonly scopes: readonly string[];
  readonly projects: readonly number[] | null;
  readonly organizations: readonly string[] | null;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

const SCOPE = /^(\*|[a-z_]+:(read|write))$/;
const LONGEST_LABEL = 40;

/** Makes a key and returns it in full, the only time it can be. Throws `invalid_input`. */
export async function createKey(
  parts: AccountsParts,
  wanted: NewKey,
): Promise<{ key: string; info: KeyInfo }> {
  const bad = wanted.scopes.find((scope) => !SCOPE.test(scope));
  if (bad !== undefined || wanted.scopes.length === 0) {
    const detail = `A scope is "*" or like "batch_export:read", not "${bad ?? ''}".`;
    throw new SluiceError('invalid_input', { attr: 'scopes', detail });
  }
  if (wanted.label.trim() === '' || wanted.label.length > LONGEST_LABEL) {
    const detail = `A label has 1 to ${LONGEST_LABEL} characters.`;
    throw new SluiceError('invalid_input', { attr: 'label', detail });
  }
  await refuseForeignLimits(parts.db, wanted);
  return parts.db.transaction().execute((trx) => writeKey({ ...parts, db: trx }, wanted));
}

/** Writes a checked key and its activity; `parts.db` is the transaction to do it in. */
export async function writeKey(
  parts: AccountsParts,
  wanted: NewKey,
): Promise<{ key: string; info: KeyInfo }> {
  const key = wanted.key ?? newPersonalApiKey(parts.random);
  const row = {
    id: v7(),
    user_id: wanted.userId,
    label: wanted.label.trim(),
    key_hash: hashKey(key),
    mask: maskKey(key),
    scopes: [...new Set(wanted.scopes)],
    scoped_projects: wanted.projects && [...new Set(wanted.projects)],
    scoped_organizations: wanted.organizations && [...new Set(wanted.organizations)],
    created_at: new Date(parts.clock.now()),
  };
  await insertKey(parts.db, row);
  await recordKeyActivity(parts, row, 'created');
  return { key, info: toInfo({ ...row, last_used_at: null, revoked_at: null }) };
}

/** A limit to something the user has no part in is a mistake worth telling. */
async function refuseForeignLimits(db: Db, wanted: NewKey): Promise<void> {
  const organizations = await listOrganizations(db, wanted.userId);
  const strange = wanted.organizations?.find((id) => !organizations.some((own) => own.id === id));
  if (strange !== undefined) {
    throw new SluiceError('does_not_exist', {
      attr: 'scoped_organizations',
      detail: `There is no organization ${strange} for this user.`,
    });
  }
  const open = await projectsOpenTo(db, wanted.userId, wanted.projects ?? []);
  const closed = wanted.projects?.find((id) => !open.has(id));
  if (closed !== undefined) {
    throw new SluiceError('does_not_exist', {
      attr: 'scoped_teams',
      detail: `There is no project ${closed} for this user.`,
    });
  }
}

/** Keys of one user, or (null) of everybody, oldest first; revoked ones included. */
export async function keysOf(db: Db, userId: number | null): Promise<KeyInfo[]> {
  return (await listKeys(db, userId)).map(toInfo);
}

/** Ends a key at once, by its id or its mask. Throws `not_found`, or `invalid_input` for a mask of several. */
export async function revokeKey(parts: Omit<AccountsParts, 'random'>, reference: string): Promise<KeyInfo> {
  const found = (await listKeys(parts.db, null)).filter(
    (key) => key.revoked_at === null && (key.id === reference || key.mask === reference),
  );
  const [row] = found;
  if (!row) throw new SluiceError('not_found', { detail: 'There is no such key.' });
  if (found.length > 1) {
    throw new SluiceError('invalid_input', { detail: 'Several keys look like this; name one by its id.' });
  }
  const revokedAt = new Date(parts.clock.now());
  await parts.db.transaction().execute(async (trx) => {
    await trx
      .updateTable('personal_api_keys')
      .set({ revoked_at: revokedAt })
      .where('id', '=', row.id)
      .execute();
    await recordKeyActivity({ ...parts, db: trx }, row, 'deleted');
  });
  return toInfo({ ...row, revoked_at: revokedAt });
}

async function recordKeyActivity(
  parts: Omit<AccountsParts, 'random'>,
  key: { id: string; user_id: number; label: string; mask: string; scopes: readonly string[] },
  activity: string,
): Promise<void> {
  await activityRecorder(parts.clock)(parts.db, {
    organizationId: null,
    teamId: null,
    userId: key.user_id,
    scope: 'PersonalAPIKey',
    itemId: key.id,
    activity,
    detail: { label: key.label, mask: key.mask, scopes: key.scopes },
  });
}

function toInfo(row: Awaited<ReturnType<typeof listKeys>>[number]): KeyInfo {
  return {
    id: row.id,
    userId: row.user_id,
    label: row.label,
    mask: row.mask,
    scopes: row.scopes,
    projects: row.scoped_projects,
    organizations: row.scoped_organizations,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  };
}
