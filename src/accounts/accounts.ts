import { SluiceError } from '../errors/error.ts';
import type { Authenticator, FoundProject, Identified, ProjectReference } from '../http/authenticator.ts';
import type { Caller, Project } from '../http/endpoint.ts';
import { activityRecorder, type RecordActivity } from './activity.ts';
import { type Bootstrap, bootstrap } from './bootstrap.ts';
import { leaveOrganization, onlyOneIn, setActive } from './departures.ts';
import { hashKey, sameHash } from './keys.ts';
import { membershipLevel } from './levels.ts';
import { createLogins, type Logins } from './login.ts';
import { organizationOf } from './organizations.ts';
import type { AccountsParts } from './parts.ts';
import { createPerson, joinOrganization, listPeople, type NewPerson, type PersonInfo } from './people.ts';
import { createKey, type KeyInfo, keysOf, type NewKey, revokeKey } from './personal-api-keys.ts';
import { createProjectCache } from './project-cache.ts';
import { authenticateSession } from './sessions.ts';
import {
  type Db,
  findKey,
  findProject,
  findProjectByToken,
  findUserByEmail,
  findUsers,
  touchKey,
} from './store.ts';
import {
  allOrganizations,
  allProjects,
  createOrganization,
  createProject,
  findOrganizationId,
  type NewOrganization,
  type NewProject,
} from './tenants.ts';
import { toUser, type User } from './user.ts';

/** Everything others may ask about organizations, projects, people and keys. */
export interface Accounts extends Authenticator, Logins {
  bootstrap(givenKey: string | undefined): Promise<Bootstrap>;
  /** The project of a `phc_…` key, from a cache of a minute; null = no such key. For capture. */
  findProjectByToken(apiToken: string): Promise<Project | null>;
  findProjectById(id: number): Promise<Project | null>;
  /** The caller's organization of this id, or `@current`. Throws `not_found`, `permission_denied`. */
  organizationOf(caller: Caller, reference: string): Promise<{ readonly id: string; readonly name: string }>;
  /** 1 member, 8 administrator, 15 owner, 0 = no member. */
  membershipLevel(userId: number, organizationId: string): Promise<number>;
  /** People by id, as `created_by` shows them; unknown ids are absent. */
  users(ids: readonly number[]): Promise<ReadonlyMap<number, User>>;
  /** By e-mail address or number; without a reference the first user. Throws `not_found`. */
  findUserId(reference?: string): Promise<number>;
  createKey(wanted: NewKey): Promise<{ key: string; info: KeyInfo }>;
  listKeys(userId: number | null): Promise<KeyInfo[]>;
  revokeKey(reference: string): Promise<KeyInfo>;
  /** Returns its id. */
  createOrganization(wanted: NewOrganization): Promise<string>;
  /** By id or name. Throws `not_found`. */
  findOrganizationId(reference: string): Promise<string>;
  listOrganizations(): ReturnType<typeof allOrganizations>;
  /** Returns its number. */
  createProject(wanted: NewProject): Promise<number>;
  listProjects(): ReturnType<typeof allProjects>;
  /** Returns their number. */
  createPerson(wanted: NewPerson, password?: string | null): Promise<number>;
  joinOrganization(wanted: NewPerson): Promise<void>;
  /** Lets a person in or out: their keys, password and sessions. */
  setActive(userId: number, active: boolean): Promise<void>;
  /** Ends a membership. Throws `not_found`. */
  leaveOrganization(userId: number, organizationId: string): Promise<void>;
  /** Names of the organizations, the given one or (null) all of theirs, in which nobody else is active. */
  onlyOneIn(userId: number, organizationId: string | null): Promise<string[]>;
  listPeople(): Promise<PersonInfo[]>;
  recordActivity: RecordActivity;
}

export type { AccountsParts, Bootstrap, KeyInfo, NewKey, NewPerson, PersonInfo, RecordActivity, User };

const MINUTE_MS = 60_000;

export function createAccounts(parts: AccountsParts): Accounts {
  const { db, clock } = parts;
  const projectOfToken = createProjectCache(clock, async (token) => {
    const row = await findProjectByToken(db, token);
    return row ? toProject(row) : null;
  });
  return {
    ...createLogins(parts),
    authenticate: (key, project) => authenticate(parts, key, project ?? null),
    authenticateSession: (token) => authenticateSession(parts, token),
    async findProject(id, userId) {
      const row = await findProject(db, id, userId);
      return row ? toFound(row) : null;
    },
    async findProjectById(id) {
      const row = await findProject(db, id, 0);
      return row ? toProject(row) : null;
    },
    findProjectByToken: projectOfToken,
    organizationOf: (caller, reference) => organizationOf(db, caller, reference),
    membershipLevel: (userId, organizationId) => membershipLevel(db, userId, organizationId),
    async users(ids) {
      const rows = await findUsers(db, [...new Set(ids)]);
      return new Map(rows.map((row) => [row.id, toUser(row)]));
    },
    findUserId: (reference) => findUserId(db, reference),
    bootstrap: (givenKey) => bootstrap(parts, givenKey),
    createKey: (wanted) => createKey(parts, wanted),
    listKeys: (userId) => keysOf(db, userId),
    revokeKey: (reference) => revokeKey(parts, reference),
    createOrganization: (wanted) => createOrganization(parts, wanted),
    findOrganizationId: (reference) => findOrganizationId(db, reference),
    listOrganizations: () => allOrganizations(db),
    createProject: (wanted) => createProject(parts, wanted),
    listProjects: () => allProjects(db),
    createPerson: (wanted, password) => createPerson(parts, wanted, password),
    joinOrganization: (wanted) => joinOrganization(parts, wanted),
    setActive: (userId, active) => setActive(parts, userId, active),
    leaveOrganization: (userId, organizationId) => leaveOrganization(parts, userId, organizationId),
    onlyOneIn: (userId, organizationId) => onlyOneIn(db, userId, organizationId),
    listPeople: () => listPeople(db),
    recordActivity: activityRecorder(clock),
  };
}

/** Looks a key up by its hash, so the key itself is never compared byte by byte with a stored one. */
async function authenticate(
  { db, clock }: AccountsParts,
  key: string,
  project: ProjectReference | null,
): Promise<Identified | null> {
  const keyHash = hashKey(key);
  const row = await findKey(db, keyHash, project);
  if (!row || !sameHash(row.key_hash, keyHash)) return null;
  const now = clock.now();
  // At most once a minute: a busy key must not turn every read into a write.
  if (row.last_used_at === null || now - row.last_used_at.getTime() >= MINUTE_MS) {
    await touchKey(db, row.id, new Date(now));
  }
  const caller: Caller = {
    userId: row.user_id,
    userUuid: row.uuid,
    currentProjectId: row.current_project_id,
    scopes: row.scopes,
    scopedProjects: row.scoped_projects,
    scopedOrganizations: row.scoped_organizations,
    keyHash,
    sessionId: null,
  };
  const { project_id: id, organization_id, name, timezone, level } = row;
  const found = id !== null && organization_id !== null && name !== null && timezone !== null;
  return { caller, project: found ? toFound({ id, organization_id, name, timezone, level }) : null };
}

async function findUserId(db: Db, reference: string | undefined): Promise<number> {
  const byNumber = reference === undefined || /^\d{1,9}$/.test(reference);
  const row = byNumber
    ? await db
        .selectFrom('users')
        .select('id')
        .$if(reference !== undefined, (query) => query.where('id', '=', Number(reference)))
        .orderBy('id')
        .limit(1)
        .executeTakeFirst()
    : await findUserByEmail(db, reference);
  if (row) return row.id;
  throw new SluiceError('not_found', {
    detail: reference ? `There is no user ${reference}.` : 'There is no user yet.',
  });
}

const toProject = (row: {
  id: number;
  organization_id: string;
  name: string;
  timezone: string;
}): Project => ({
  id: row.id,
  organizationId: row.organization_id,
  name: row.name,
  timezone: row.timezone,
});

const toFound = (row: Parameters<typeof toProject>[0] & { level: number | null }): FoundProject => ({
  project: toProject(row),
  member: row.level !== null,
});
