import { v4, v7 } from 'uuid';
import { SluiceError } from '../errors/error.ts';
import { hashKey, newProjectApiKey } from './keys.ts';
import { LEVELS } from './levels.ts';
import type { AccountsParts } from './parts.ts';
import { createKey, writeKey } from './personal-api-keys.ts';
import { type Db, findUserByEmail } from './store.ts';

/** What a start of the server announces. */
export interface Bootstrap {
  readonly organizationId: string;
  readonly projectId: number;
  readonly projectApiKey: string;
  /** Shown once: at the first start, or always when it was given from outside. */
  readonly personalApiKey: string | null;
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
  const { userId, ...found } = (await createFirst(parts, key)) ?? (await findFirst(parts.db));
  if (key !== undefined) await ensureKey(parts, userId, key);
  return { ...found, personalApiKey: key ?? found.personalApiKey };
}

function checkGiven(key: string): string {
  if (/^[\x21-\x7e]{16,200}$/.test(key)) return key;
  throw new SluiceError('bad_configuration', {
    detail: 'SLUICE_BOOTSTRAP_PERSONAL_API_KEY must have 16 to 200 visible ASCII characters.',
  });
}

type First = Bootstrap & { readonly userId: number };

/** Null when it was done before: the instance row, unique, decides between processes. */
async function createFirst(parts: AccountsParts, key: string | undefined): Promise<First | null> {
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
      userId: user.id,
    };
  });
}

async function findFirst(db: Db): Promise<First> {
  const user = await findUserByEmail(db, EMAIL);
  if (!user) throw new SluiceError('error', { detail: 'The first user is missing from the database.' });
  const project = await db
    .selectFrom('projects')
    .innerJoin('organization_members as member', 'member.organization_id', 'projects.organization_id')
    .select(['projects.id', 'projects.organization_id', 'projects.api_token'])
    // The command line may have made other tenants before the first start.
    .where('member.user_id', '=', user.id)
    .orderBy('projects.id')
    .limit(1)
    .executeTakeFirstOrThrow();
  return {
    organizationId: project.organization_id,
    projectId: project.id,
    projectApiKey: project.api_token,
    personalApiKey: null,
    userId: user.id,
  };
}

async function ensureKey(parts: AccountsParts, userId: number, key: string): Promise<void> {
  const revived = await parts.db
    .updateTable('personal_api_keys')
    .set({ revoked_at: null, scopes: ['*'], scoped_projects: null, scoped_organizations: null })
    .where('key_hash', '=', hashKey(key))
    .returning('id')
    .executeTakeFirst();
  if (revived) return;
  await createKey(parts, { userId, label: 'Bootstrap key', ...EVERYTHING, key });
}
