import { SluiceError } from '../errors/error.ts';
import type { Db } from './store.ts';

/** What a person is to an organization (contract.md §10: administrators and above may delete integrations). */
export const LEVELS = { member: 1, administrator: 8, owner: 15 } as const;

export type LevelName = keyof typeof LEVELS;

export const levelName = (level: number): LevelName =>
  level >= LEVELS.owner ? 'owner' : level >= LEVELS.administrator ? 'administrator' : 'member';

/** 0 = no member. */
export async function membershipLevel(db: Db, userId: number, organizationId: string): Promise<number> {
  const row = await db
    .selectFrom('organization_members')
    .select('level')
    .where('user_id', '=', userId)
    .where('organization_id', '=', organizationId)
    .executeTakeFirst();
  return row?.level ?? 0;
}

/** Throws `permission_denied` below administrator. */
export async function requireAdministrator(db: Db, userId: number, organizationId: string): Promise<void> {
  if ((await membershipLevel(db, userId, organizationId)) >= LEVELS.administrator) return;
  throw new SluiceError('permission_denied', {
    detail: 'Only an administrator of the organization may do this.',
  });
}
