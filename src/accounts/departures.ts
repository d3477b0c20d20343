import { SluiceError } from '../errors/error.ts';
import { activityRecorder } from './activity.ts';
import type { AccountsParts } from './parts.ts';
import { endSessionsOf } from './sessions.ts';
import type { Db } from './store.ts';

/**
 * Lets a person in, or out: their sessions end, and their keys and password open nothing until they are activated
 * again. What they made stays.
 */
export async function setActive(
  { db, clock }: AccountsParts,
  userId: number,
  active: boolean,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.updateTable('users').set({ is_active: active }).where('id', '=', userId).execute();
    if (!active) await endSessionsOf(trx, userId, null);
    await activityRecorder(clock)(trx, {
      organizationId: null,
      teamId: null,
      userId: null,
      scope: 'User',
      itemId: String(userId),
      activity: active ? 'activated' : 'deactivated',
      detail: {},
    });
  });
}

/** Ends a membership, and with it what the person's keys may enter there. Throws `not_found` where there is none. */
export async function leaveOrganization(
  { db, clock }: AccountsParts,
  userId: number,
  organizationId: string,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('organization_members')
      .where('organization_id', '=', organizationId)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    if (numDeletedRows === 0n) {
      throw new SluiceError('not_found', { detail: 'This person is no member of this organization.' });
    }
    await moveOut(trx, userId, organizationId);
    await activityRecorder(clock)(trx, {
      organizationId,
      teamId: null,
      userId: null,
      scope: 'User',
      itemId: String(userId),
      activity: 'left',
      detail: {},
    });
  });
}

/**
 * Names of the organizations, the given one or (null) all of a person's, in which they are the only one who is active: without
 * them nobody could enter.
 */
export async function onlyOneIn(db: Db, userId: number, organizationId: string | null): Promise<string[]> {
  const rows = await db
    .selectFrom('organization_members as member')
    .innerJoin('users', 'users.id', 'member.user_id')
    .innerJoin('organizations', 'organizations.id', 'member.organization_id')
    .select('organizations.name')
    .where('users.id', '=', userId)
    .where('users.is_active', '=', true)
    .$if(organizationId !== null, (query) => query.where('organizations.id', '=', organizationId as string))
    .where(({ not, exists, selectFrom }) =>
      not(
        exists(
          selectFrom('organization_members as other')
            .innerJoin('users as colleague', 'colleague.id', 'other.user_id')
            .select('colleague.id')
            .whereRef('other.organization_id', '=', 'member.organization_id')
            .where('colleague.id', '!=', userId)
            .where('colleague.is_active', '=', true),
        ),
      ),
    )
    .orderBy('organizations.created_at')
    .execute();
  return rows.map(({ name }) => name);
}

/** Whoever was in a project of the organization is in the first of another of theirs, or in none. */
const moveOut = (db: Db, userId: number, organizationId: string) =>
  db
    .updateTable('users')
    .set({
      current_project_id: (eb) =>
        eb
          .selectFrom('projects')
          .innerJoin('organization_members as member', 'member.organization_id', 'projects.organization_id')
          .select((of) => of.fn.min('projects.id').as('first'))
          .where('member.user_id', '=', userId),
    })
    .where('id', '=', userId)
    .where('current_project_id', 'in', (eb) =>
      eb.selectFrom('projects').select('id').where('organization_id', '=', organizationId),
    )
    .execute();
