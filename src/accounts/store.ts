import type { Kysely } from 'kysely';
import type { PersonalApiKeysTable, Tables } from '../database/tables.ts';
import type { ProjectReference } from '../http/authenticator.ts';

/** Queries of the accounts feature. `Selectable` rows leave this folder only as the types of accounts.ts. */
export type Db = Kysely<Tables>;

/**
 * The owner of an unrevoked key of an active user and, `project_id` null when there is none, a project by its id or the one the
 * user is in at present, with their level in its organization (null = not a member).
 */
export const findKey = (db: Db, keyHash: string, project: ProjectReference | null) =>
  db
    .selectFrom('personal_api_keys as key')
    .innerJoin('users', 'users.id', 'key.user_id')
    .leftJoin('projects', (join) =>
      project === '@current'
        ? join.onRef('projects.id', '=', 'users.current_project_id')
        : join.on('projects.id', '=', project),
    )
    .leftJoin('organization_members as member', (join) =>
      join
        .onRef('member.organization_id', '=', 'projects.organization_id')
        .onRef('member.user_id', '=', 'users.id'),
    )
    .select([
      'key.id',
      'key.key_hash',
      'key.scopes',
      'key.scoped_projects',
      'key.scoped_organizations',
      'key.last_used_at',
      'users.id as user_id',
      'users.uuid',
      'users.current_project_id',
      'projects.id as project_id',
      'projects.organization_id',
      'projects.name',
      'projects.timezone',
      'member.level',
    ])
    .where('key.key_hash', '=', keyHash)
    .where('key.revoked_at', 'is', null)
    .where('users.is_active', '=', true)
    .executeTakeFirst();

export const touchKey = (db: Db, id: string, now: Date) =>
  db.updateTable('personal_api_keys').set({ last_used_at: now }).where('id', '=', id).execute();

export const insertKey = (
  db: Db,
  row: Omit<
    PersonalApiKeysTable,
    'created_at' | 'last_used_at' | 'revoked_at' | 'scoped_projects' | 'scoped_organizations'
  > & {
    scoped_projects: number[] | null;
    scoped_organizations: string[] | null;
    created_at: Date;
  },
) =>
  db
    .insertInto('personal_api_keys')
    .values(row)
    // Only a key given from outside can be there already: two processes starting at once.
    .onConflict((conflict) => conflict.column('key_hash').doNothing())
    .execute();

export const listKeys = (db: Db, userId: number | null) =>
  db
    .selectFrom('personal_api_keys')
    .selectAll()
    .$if(userId !== null, (query) => query.where('user_id', '=', userId as number))
    .orderBy('created_at')
    .orderBy('id')
    .execute();

/** A project with the level of one user in its organization (null = not a member). */
export const findProject = (db: Db, id: number, userId: number) =>
  db
    .selectFrom('projects')
    .leftJoin('organization_members as member', (join) =>
      join.onRef('member.organization_id', '=', 'projects.organization_id').on('member.user_id', '=', userId),
    )
    .select([
      'projects.id',
      'projects.organization_id',
      'projects.name',
      'projects.timezone',
      'projects.api_token',
      'projects.created_at',
      'member.level',
    ])
    .where('projects.id', '=', id)
    .executeTakeFirst();

export const findProjectByToken = (db: Db, apiToken: string) =>
  db
    .selectFrom('projects')
    .select(['id', 'organization_id', 'name', 'timezone'])
    .where('api_token', '=', apiToken)
    .executeTakeFirst();

/** Organizations of a user, oldest first. */
export const listOrganizations = (db: Db, userId: number) =>
  db
    .selectFrom('organizations')
    .innerJoin('organization_members as member', 'member.organization_id', 'organizations.id')
    .select(['organizations.id', 'organizations.name', 'organizations.created_at', 'member.level'])
    .where('member.user_id', '=', userId)
    .orderBy('organizations.created_at')
    .orderBy('organizations.id')
    .execute();

export const listProjects = (db: Db, organizationId: string) =>
  db.selectFrom('projects').selectAll().where('organization_id', '=', organizationId).orderBy('id').execute();

export async function organizationsOfProjects(db: Db, ids: readonly number[]): Promise<ReadonlySet<string>> {
  if (ids.length === 0) return new Set();
  const rows = await db.selectFrom('projects').select('organization_id').where('id', 'in', ids).execute();
  return new Set(rows.map((row) => row.organization_id));
}

/** Those of the projects that the user may enter. */
export async function projectsOpenTo(
  db: Db,
  userId: number,
  ids: readonly number[],
): Promise<ReadonlySet<number>> {
  const possible = [...new Set(ids)].filter((id) => id > 0 && id < 2 ** 31);
  if (possible.length === 0) return new Set();
  const rows = await db
    .selectFrom('projects')
    .innerJoin('organization_members as member', 'member.organization_id', 'projects.organization_id')
    .select('projects.id')
    .where('member.user_id', '=', userId)
    .where('projects.id', 'in', possible)
    .execute();
  return new Set(rows.map(({ id }) => id));
}

export const findUser = (db: Db, id: number) =>
  db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();

export const lockUser = (trx: Db, id: number) =>
  trx
    .selectFrom('users')
    .select(['password_hash', 'is_active'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst();

/** Addresses are stored in lower case: nobody remembers how they once typed theirs. */
export const lowered = (email: string): string => email.toLowerCase();

export const findUserByEmail = (db: Db, email: string) =>
  db.selectFrom('users').selectAll().where('email', '=', lowered(email.trim())).executeTakeFirst();

export const findUsers = (db: Db, ids: readonly number[]) =>
  ids.length === 0
    ? Promise.resolve([])
    : db.selectFrom('users').selectAll().where('id', 'in', ids).execute();
