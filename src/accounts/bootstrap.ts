import { sql } from 'kysely';
import { v4, v7 } from 'uuid';
import { SluiceError } from '../errors/error.ts';
import { firstOrganizationId } from './first-organization.ts';
import { hashKey, newProjectApiKey } from './keys.ts';
import { LEVELS } from './levels.ts';
import type { AccountsParts } from './parts.ts';
import { createKey, writeKey } from './personal-api-keys.ts';
import { type Db, findUserByEmail, listOrganizations } from './store.ts';

/** What a start of the server announces. */
export interface Bootstrap {
  readonly organizationId: string;
  readonly projectId: number;
  readonly projectApiKey: string;
  /** At the first start, or always when it was given from outside. */
  readonly personalApiKey: string | null;
  /** What keeps the given key from opening anything, in a sentence; null where nothing does. */
  readonly warning: string | null;
}

const EMAIL = 'admin@sluice.local';
const EVERYTHING = { scopes: ['*'], projects: null, organizations: null } as const;

/**
 * The first start makes an organization, a project, a user and a personal API key of all scopes. Later
 * starts find them. A key given from outside (`SLUICE_BOOTSTRAP_PERSONAL_API_KEY`) is valid after any
 * start, even when it was new, revoked or narrower before. Safe when several processes start at once.
 */
export async function bootstrap(parts: AccountsParts, givenKey: string | undefined): Promise<Bootstrap> {
  const key = givenKey === undefined ? undefined : checkGiven(givenKey);
  const made = await createFirst(parts, key);
  if (made) return { ...made, warning: null };
  const first = await findFirst(parts.db);
  if (key === undefined) return { ...first, personalApiKey: null, warning: null };
  return { ...first, personalApiKey: key, warning: await ensureKey(parts, key) };
}

function checkGiven(key: string): string {
  if (/^[\x21-\x7e]{16,200}$/.test(key)) return key;
  throw new SluiceError('bad_configuration', {
    detail: 'SLUICE_BOOTSTRAP_PERSONAL_API_KEY must have 16 to 200 visible ASCII characters.',
  });
}

/** Null when it was done before: the instance row, unique, decides between processes. */
async function createFirst(
  parts: AccountsParts,
  key: string | undefined,
): Promise<Omit<Bootstrap, 'warning'> | null> {
  const now = new Date(parts.clock.now());
  const organization = { id: v7(), name: 'My organization', created_at: now };
  return parts.db.transaction().execute(async (trx) => {
    const claimed = await trx
      .insertInto('instance')
      .values({
        key: 'bootstrapped',
        value: JSON.stringify({ at: now.toISOString(), organization_id: organization.id }),
      })
      .onConflict((conflict) => conflict.doNothing())
      .returning('key')
      .executeTakeFirst();
    if (!claimed) return null;
    await trx.insertInto('organizations').values(organization).execute();
    const project = await trx
      .insertInto('projects')
      .values({
        organization_id: organization.id,
        name: 'Default project',
        api_token: newProjectApiKey(parts.random),
        created_at: now,
      })
      .returning(['id', 'api_token'])
      .executeTakeFirstOrThrow();
    const user = await trx
      .insertInto('users')
      .values({
        uuid: v7(),
        distinct_id: v4(),
        email: EMAIL,
        first_name: 'Admin',
        current_project_id: project.id,
        created_at: now,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await trx
      .insertInto('organization_members')
      .values({ organization_id: organization.id, user_id: user.id, level: LEVELS.owner })
      .execute();
    // In the same transaction: a crash must not leave an installation that nobody has a key to.
    const made = await writeKey(
      { ...parts, db: trx },
      { userId: user.id, label: 'First key', ...EVERYTHING, ...(key === undefined ? {} : { key }) },
    );
    return {
      organizationId: organization.id,
      projectId: project.id,
      projectApiKey: project.api_token,
      personalApiKey: made.key,
    };
  });
}

/**
 * The lowest project of the organization that the first start made, whoever is a member of it by now. Sluice removes no
 * projects; where somebody removed that organization's by hand, the lowest of all: the server is not only theirs.
 */
async function findFirst(db: Db): Promise<Omit<Bootstrap, 'personalApiKey' | 'warning'>> {
  const project = await db
    .selectFrom('projects')
    .leftJoin('instance', (join) => join.on('instance.key', '=', 'bootstrapped'))
    .select(['projects.id', 'projects.organization_id', 'projects.api_token'])
    // The command line may have made other tenants before the first start.
    .orderBy(sql<boolean>`projects.organization_id::text = coalesce(${firstOrganizationId}, '')`, 'desc')
    .orderBy('projects.id')
    .limit(1)
    .executeTakeFirst();
  if (!project) {
    throw new SluiceError('bad_configuration', {
      detail: 'There is no project left in the database. `sluice projects create` makes one.',
    });
  }
  return {
    organizationId: project.organization_id,
    projectId: project.id,
    projectApiKey: project.api_token,
  };
}

/** Makes or revives the given key, of the first person; returns what keeps it from opening anything. */
async function ensureKey(parts: AccountsParts, key: string): Promise<string | null> {
  const user = await findUserByEmail(parts.db, EMAIL);
  if (!user) {
    throw new SluiceError('bad_configuration', {
      detail: `SLUICE_BOOTSTRAP_PERSONAL_API_KEY is a key of ${EMAIL}, who is missing from the database.`,
    });
  }
  const revived = await parts.db
    .updateTable('personal_api_keys')
    .set({ revoked_at: null, scopes: ['*'], scoped_projects: null, scoped_organizations: null })
    .where('key_hash', '=', hashKey(key))
    .returning('id')
    .executeTakeFirst();
  if (!revived) await createKey(parts, { userId: user.id, label: 'Bootstrap key', ...EVERYTHING, key });
  if (!user.is_active) return `${OPENS} nothing until \`sluice users activate ${EMAIL}\`.`;
  const [member] = await listOrganizations(parts.db, user.id);
  return member ? null : `${OPENS} no project: ${EMAIL} is in no organization.`;
}

const OPENS = 'SLUICE_BOOTSTRAP_PERSONAL_API_KEY opens';
