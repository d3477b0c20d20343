import type { Insertable } from 'kysely';
import { v7 } from 'uuid';
import type { ProjectsTable } from '../database/tables.ts';
import { SluiceError } from '../errors/error.ts';
import { isTimeZone } from '../http/dates.ts';
import { activityRecorder } from './activity.ts';
import { newProjectApiKey } from './keys.ts';
import { LEVELS } from './levels.ts';
import type { AccountsParts } from './parts.ts';
import { insertNumbered } from './project-number.ts';
import type { Db } from './store.ts';

export interface NewOrganization {
  readonly name: string;
  /** Becomes its owner; null = nobody yet, on the command line. */
  readonly userId: number | null;
}

export interface NewProject {
  readonly organizationId: string;
  readonly name: string;
  /** IANA name; default UTC. */
  readonly timezone?: string;
  /** Who makes it; null = the command line. */
  readonly userId: number | null;
  /** Default: the next. For the command line alone: it decides whose events of the warehouse the project sees. */
  readonly number?: number;
}

const LONGEST_ORGANIZATION_NAME = 64;
const LONGEST_PROJECT_NAME = 200;

/** Makes an organization without projects; returns its id. Throws `blank`, `max_length`. */
export async function createOrganization(parts: AccountsParts, wanted: NewOrganization): Promise<string> {
  const name = readName(wanted.name, LONGEST_ORGANIZATION_NAME);
  const id = v7();
  await parts.db.transaction().execute(async (trx) => {
    const created_at = new Date(parts.clock.now());
    await trx.insertInto('organizations').values({ id, name, created_at }).execute();
    if (wanted.userId !== null) {
      await trx
        .insertInto('organization_members')
        .values({ organization_id: id, user_id: wanted.userId, level: LEVELS.owner })
        .execute();
    }
    await activityRecorder(parts.clock)(trx, {
      organizationId: id,
      teamId: null,
      userId: wanted.userId,
      scope: 'Organization',
      itemId: id,
      activity: 'created',
      detail: { name },
    });
  });
  return id;
}

/**
 * Makes a project with a project key; returns its number. Whoever had no current project, the maker or a member,
 * gets this one: `@current` should mean something. Throws `blank`, `max_length`, `invalid_choice`, and for a number
 * `invalid_input`, `unique`.
 */
export async function createProject(parts: AccountsParts, wanted: NewProject): Promise<number> {
  const name = readName(wanted.name, LONGEST_PROJECT_NAME);
  const timezone = readTimezone(wanted.timezone ?? 'UTC');
  const { organizationId, userId } = wanted;
  return parts.db.transaction().execute(async (trx) => {
    const row = {
      organization_id: organizationId,
      name,
      timezone,
      api_token: newProjectApiKey(parts.random),
      created_at: new Date(parts.clock.now()),
    };
    const id = wanted.number ?? (await insertNext(trx, row));
    if (wanted.number !== undefined) await insertNumbered(trx, wanted.number, row);
    await trx
      .updateTable('users')
      .set({ current_project_id: id })
      .where('current_project_id', 'is', null)
      .where('id', 'in', (eb) =>
        eb.selectFrom('organization_members').select('user_id').where('organization_id', '=', organizationId),
      )
      .execute();
    await activityRecorder(parts.clock)(trx, {
      organizationId,
      teamId: id,
      userId,
      scope: 'Project',
      itemId: String(id),
      activity: 'created',
      detail: { name, timezone },
    });
    return id;
  });
}

async function insertNext(db: Db, row: Insertable<ProjectsTable>): Promise<number> {
  const { id } = await db.insertInto('projects').values(row).returning('id').executeTakeFirstOrThrow();
  return id;
}

/** Every organization, oldest first. */
export const allOrganizations = (db: Db) =>
  db.selectFrom('organizations').selectAll().orderBy('created_at').orderBy('id').execute();

/** Every project, with the name of its organization. */
export const allProjects = (db: Db) =>
  db
    .selectFrom('projects')
    .innerJoin('organizations', 'organizations.id', 'projects.organization_id')
    .selectAll('projects')
    .select('organizations.name as organization_name')
    .orderBy('projects.id')
    .execute();

/** By id or name. Throws `not_found`, or `invalid_input` for a name that several have. */
export async function findOrganizationId(db: Db, reference: string): Promise<string> {
  const found = (await allOrganizations(db)).filter(({ id, name }) => id === reference || name === reference);
  const [first] = found;
  if (!first) {
    throw new SluiceError('not_found', { detail: `There is no organization ${JSON.stringify(reference)}.` });
  }
  if (found.length === 1) return first.id;
  throw new SluiceError('invalid_input', {
    detail: `Several organizations are called ${JSON.stringify(reference)}; name one by its id.`,
  });
}

function readName(text: string, longest: number): string {
  const name = text.trim();
  if (name === '') throw new SluiceError('blank', { attr: 'name' });
  if (name.length <= longest) return name;
  throw new SluiceError('max_length', {
    attr: 'name',
    detail: `Ensure this field has no more than ${longest} characters.`,
  });
}

function readTimezone(name: string): string {
  if (isTimeZone(name)) return name;
  throw new SluiceError('invalid_choice', {
    attr: 'timezone',
    detail: `"${name.slice(0, 100)}" is not a valid choice.`,
  });
}
