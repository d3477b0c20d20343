import { v4, v7 } from 'uuid';
import { SluiceError } from '../errors/error.ts';
import { activityRecorder } from './activity.ts';
import { LEVELS, type LevelName, levelName } from './levels.ts';
import type { AccountsParts } from './parts.ts';
import { checkPassword, hashPassword } from './passwords.ts';
import { type Db, findUserByEmail, lowered } from './store.ts';

export interface NewPerson {
  readonly email: string;
  readonly organizationId: string;
  readonly level: LevelName;
  readonly firstName?: string;
}

/** A person as the command line lists them. */
export interface PersonInfo {
  readonly id: number;
  readonly email: string;
  readonly active: boolean;
  readonly hasPassword: boolean;
  readonly memberships: readonly { readonly organization: string; readonly level: LevelName }[];
}

const EMAIL = /^[^\s@]{1,64}@[^\s@]{1,190}$/;

/** Makes a person, a member of one organization; without a password they have keys only. Throws `invalid_input`, `unique`. */
export async function createPerson(
  parts: AccountsParts,
  wanted: NewPerson,
  password: string | null = null,
): Promise<number> {
  const email = lowered(wanted.email.trim());
  if (!EMAIL.test(email)) {
    throw new SluiceError('invalid_input', { attr: 'email', detail: 'Enter a valid e-mail address.' });
  }
  if (password !== null) checkPassword(password, 'password');
  const hash = password === null ? null : await hashPassword(password, parts.random, parts.passwordCost);
  return parts.db.transaction().execute(async (trx) => {
    const user = await trx
      .insertInto('users')
      .values({
        uuid: v7(),
        distinct_id: v4(),
        email,
        first_name: wanted.firstName ?? '',
        password_hash: hash,
        created_at: new Date(parts.clock.now()),
      })
      .onConflict((conflict) => conflict.column('email').doNothing())
      .returning('id')
      .executeTakeFirst();
    if (!user) {
      const detail = `There is a user ${email} already; \`sluice users join\` adds them to an organization.`;
      throw new SluiceError('unique', { attr: 'email', detail });
    }
    await record(parts, trx, user.id, wanted, 'created');
    await join({ ...parts, db: trx }, user.id, wanted);
    return user.id;
  });
}

/** Makes a known person a member, or gives a member another level. Throws `not_found`. */
export async function joinOrganization(parts: AccountsParts, wanted: NewPerson): Promise<void> {
  const user = await findUserByEmail(parts.db, wanted.email);
  if (!user) throw new SluiceError('not_found', { detail: `There is no user ${wanted.email}.` });
  await parts.db.transaction().execute(async (trx) => {
    await join({ ...parts, db: trx }, user.id, wanted);
    await record(parts, trx, user.id, wanted, 'joined');
  });
}

async function join({ db }: AccountsParts, userId: number, wanted: NewPerson): Promise<void> {
  const { organizationId } = wanted;
  const level = LEVELS[wanted.level];
  await db
    .insertInto('organization_members')
    .values({ organization_id: organizationId, user_id: userId, level })
    .onConflict((conflict) => conflict.columns(['organization_id', 'user_id']).doUpdateSet({ level }))
    .execute();
  await db
    .updateTable('users')
    .set({
      current_project_id: (eb) =>
        eb
          .selectFrom('projects')
          .select((of) => of.fn.min('projects.id').as('first'))
          .where('organization_id', '=', organizationId),
    })
    .where('id', '=', userId)
    .where('current_project_id', 'is', null)
    .execute();
}

const record = (parts: AccountsParts, db: Db, userId: number, wanted: NewPerson, activity: string) =>
  activityRecorder(parts.clock)(db, {
    organizationId: wanted.organizationId,
    teamId: null,
    userId: null,
    scope: 'User',
    itemId: String(userId),
    activity,
    detail: { email: lowered(wanted.email.trim()), level: wanted.level },
  });

/** Everybody, oldest first. */
export async function listPeople(db: Db): Promise<PersonInfo[]> {
  const users = await db.selectFrom('users').selectAll().orderBy('id').execute();
  const memberships = await db
    .selectFrom('organization_members as member')
    .innerJoin('organizations', 'organizations.id', 'member.organization_id')
    .select(['member.user_id', 'member.level', 'organizations.name'])
    .orderBy('organizations.created_at')
    .execute();
  return users.map((user) => ({
    id: user.id,
    email: user.email,
    active: user.is_active,
    hasPassword: user.password_hash !== null,
    memberships: memberships
      .filter((membership) => membership.user_id === user.id)
      .map(({ name, level }) => ({ organization: name, level: levelName(level) })),
  }));
}
