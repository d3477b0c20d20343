import { v7 } from 'uuid';
import type { Caller } from '../http/endpoint.ts';
import { SESSION_SECONDS } from '../http/sessions.ts';
import { hashKey } from './keys.ts';
import type { AccountsParts } from './parts.ts';
import type { Db } from './store.ts';

const SESSION_MS = SESSION_SECONDS * 1000;
/** Its end moves at most once an hour: a busy page must not turn every read into a write. */
const PROLONG_AFTER_MS = 3_600_000;

/** Starts a session and returns its token, which only the browser keeps; `db` is the transaction to do it in. */
export async function startSession(
  { db, clock, random }: AccountsParts,
  userId: number,
): Promise<{ id: string; token: string }> {
  const token = random(32).toString('base64url');
  const now = clock.now();
  const id = v7();
  await db.deleteFrom('sessions').where('expires_at', '<=', new Date(now)).execute();
  await db
    .insertInto('sessions')
    .values({
      id,
      user_id: userId,
      token_hash: hashKey(token),
      created_at: new Date(now),
      expires_at: new Date(now + SESSION_MS),
    })
    .execute();
  return { id, token };
}

/** The active person of a session that has not ended, with all scopes; each use moves its end. */
export async function authenticateSession(
  { db, clock }: AccountsParts,
  token: string,
): Promise<{ caller: Caller; prolonged: boolean } | null> {
  const now = clock.now();
  const row = await db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['sessions.id', 'sessions.expires_at', 'users.id as user_id', 'users.uuid', 'current_project_id'])
    .where('token_hash', '=', hashKey(token))
    .where('expires_at', '>', new Date(now))
    .where('users.is_active', '=', true)
    .executeTakeFirst();
  if (!row) return null;
  const end = now + SESSION_MS;
  const prolonged = end - row.expires_at.getTime() >= PROLONG_AFTER_MS;
  if (prolonged) {
    await db
      .updateTable('sessions')
      .set({ expires_at: new Date(end) })
      .where('id', '=', row.id)
      .execute();
  }
  const caller: Caller = {
    userId: row.user_id,
    userUuid: row.uuid,
    currentProjectId: row.current_project_id,
    scopes: ['*'],
    scopedProjects: null,
    scopedOrganizations: null,
    keyHash: null,
    sessionId: row.id,
  };
  return { caller, prolonged };
}

export const endSession = (db: Db, id: string) => db.deleteFrom('sessions').where('id', '=', id).execute();

/** Ends all sessions of a person but, if given, one. */
export const endSessionsOf = (db: Db, userId: number, except: string | null) =>
  db
    .deleteFrom('sessions')
    .where('user_id', '=', userId)
    .$if(except !== null, (query) => query.where('id', '!=', except as string))
    .execute();
