import { SluiceError } from '../errors/error.ts';
import { networkOf } from '../http/network.ts';
import { createThrottle } from '../http/throttle.ts';
import { activityRecorder } from './activity.ts';
import { hashKey } from './keys.ts';
import type { AccountsParts } from './parts.ts';
import { checkPassword, hashPassword, verifyPassword } from './passwords.ts';
import { endSession, endSessionsOf, startSession } from './sessions.ts';
import { type Db, findUser, findUserByEmail, lockUser } from './store.ts';

/** Failed attempts for one address and one e-mail. */
const RATES = [
  { requests: 5, windowMs: 60_000 },
  { requests: 30, windowMs: 3_600_000 },
];
/** All attempts of one address: guessing at many e-mails must not take the turns of everybody else. */
const ADDRESS_RATES = [{ requests: 100, windowMs: 60_000 }];
/** Each check takes 32 MB and a thread that files need, too: one at a time, and no endless queue. */
const MOST_WAITING = 20;

export interface Attempt {
  readonly email: string;
  readonly password: string;
  /** The client's address. */
  readonly ip: string;
}

export interface NewPassword {
  readonly userId: number;
  readonly password: string;
  /** Null = not asked for: on the command line, whoever reaches the database needs none. */
  readonly proof: { readonly current: string | undefined; readonly ip: string } | null;
  /** The session that goes on when all others end. */
  readonly keep: string | null;
}

export interface Logins {
  /** Starts a session; returns its token. Throws `invalid_credentials`, `throttled`. */
  login(attempt: Attempt): Promise<string>;
  logout(userId: number, sessionId: string): Promise<void>;
  /** Sets a password and ends the sessions made with the old one. Throws `invalid_input`, `throttled`, `conflict`. */
  setPassword(wanted: NewPassword): Promise<void>;
}

export function createLogins(parts: AccountsParts): Logins {
  const { db, clock } = parts;
  const attempts = createThrottle(clock, RATES);
  const addresses = createThrottle(clock, ADDRESS_RATES);
  const inTurn = oneAtATime(MOST_WAITING);
  const record = activityRecorder(clock);

  /** Counts the attempt; one that succeeds is forgotten. */
  const verify = async ({ email, password, ip }: Attempt, stored: string | null): Promise<boolean> => {
    const network = networkOf(ip);
    const place = hashKey(`${network} ${email.toLowerCase()}`);
    attempts.check(place);
    // Before the place is remembered: a refused address would fill the memory with e-mails of its invention.
    addresses.admit(network);
    attempts.admit(place);
    const right = await inTurn(() => verifyPassword(password, stored, parts.passwordCost));
    if (right) attempts.forget(place);
    return right;
  };

  return {
    async login(attempt) {
      const user = await findUserByEmail(db, attempt.email);
      const stored = user?.is_active ? user.password_hash : null;
      if (!(await verify(attempt, stored)) || !user) throw new SluiceError('invalid_credentials');
      return db.transaction().execute(async (trx) => {
        if (!(await isStill(trx, user.id, stored))) throw new SluiceError('invalid_credentials');
        const { token } = await startSession({ ...parts, db: trx }, user.id);
        await record(trx, activityOf(user.id, 'logged_in'));
        return token;
      });
    },
    async logout(userId, sessionId) {
      await db.transaction().execute(async (trx) => {
        await endSession(trx, sessionId);
        await record(trx, activityOf(userId, 'logged_out'));
      });
    },
    async setPassword({ userId, password, proof, keep }) {
      checkPassword(password, 'password');
      const user = await findUser(db, userId);
      if (!user) throw new SluiceError('not_found');
      if (proof && user.password_hash !== null) {
        const { current, ip } = proof;
        if (current === undefined) throw new SluiceError('required', { attr: 'current_password' });
        if (!(await verify({ email: user.email, password: current, ip }, user.password_hash))) {
          const detail = 'This is not your current password.';
          throw new SluiceError('invalid_input', { attr: 'current_password', detail });
        }
      }
      const hash = await inTurn(() => hashPassword(password, parts.random, parts.passwordCost));
      await db.transaction().execute(async (trx) => {
        if (proof && !(await isStill(trx, userId, user.password_hash))) {
          throw new SluiceError('conflict', { detail: 'Your password was changed in the meantime.' });
        }
        await trx.updateTable('users').set({ password_hash: hash }).where('id', '=', userId).execute();
        await endSessionsOf(trx, userId, keep);
        await record(trx, activityOf(userId, 'password_changed'));
      });
    },
  };
}

/**
 * Whether the hash that a password was held against is still the person's, who may still come in. Locks them: a session begun
 * beside a change of password must not outlive it.
 */
async function isStill(trx: Db, userId: number, hash: string | null): Promise<boolean> {
  const user = await lockUser(trx, userId);
  return user?.is_active === true && user.password_hash === hash;
}

const activityOf = (userId: number, activity: string) => ({
  organizationId: null,
  teamId: null,
  userId,
  scope: 'User',
  itemId: String(userId),
  activity,
  detail: {},
});

/** Runs one after the other; throws `throttled` when too many wait. */
function oneAtATime(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (work) => {
    if (waiting >= most) throw new SluiceError('throttled', { retryAfter: 5 });
    waiting++;
    const turn = last.then(work);
    last = turn.catch(() => {});
    try {
      return await turn;
    } finally {
      waiting--;
    }
  };
}
