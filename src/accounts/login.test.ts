import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import type { Database } from '../database/database.ts';
import { createAccounts } from './accounts.ts';
import { createLogins, type Logins } from './login.ts';
import { hashPassword } from './passwords.ts';

/** 5 in a minute for an address and an e-mail, 100 for an address. */
describe('attempts of one address at many e-mails', () => {
  const clock = { time: 1_000_000, now: () => clock.time };
  let database: Database;
  let logins: Logins;

  beforeAll(async () => {
    database = await openPreparedDatabase();
  });
  afterAll(() => database.close());
  beforeEach(() => {
    const passwordCost = { N: 1024, r: 8, p: 1 };
    logins = createLogins({
      db: database.kysely,
      clock,
      random: (count) => Buffer.alloc(count),
      passwordCost,
    });
  });

  const guess = (email: string, ip = '192.0.2.1') => logins.login({ email, password: 'wrong', ip });
  const wrong = { code: 'invalid_credentials' };
  const throttled = (retryAfter: number) => ({ code: 'throttled', retryAfter });
  const fillAddress = async (count: number) => {
    for (let n = 0; n < count; n++) await expect(guess(`${n}@acme.test`)).rejects.toMatchObject(wrong);
  };

  it('a refused one leaves nothing at its e-mail', async () => {
    await fillAddress(100);
    clock.time += 30_000;
    for (let n = 0; n < 5; n++) await expect(guess('ada@acme.test')).rejects.toMatchObject(throttled(30));
    clock.time += 30_000;
    await expect(guess('ada@acme.test')).rejects.toMatchObject(wrong);
  });

  it('one that its e-mail refuses is told that wait, and leaves nothing at the address', async () => {
    for (let n = 0; n < 5; n++) await expect(guess('ada@acme.test')).rejects.toMatchObject(wrong);
    clock.time += 10_000;
    for (let n = 0; n < 100; n++) await expect(guess('ada@acme.test')).rejects.toMatchObject(throttled(50));
    await fillAddress(95);
    await expect(guess('eve@acme.test')).rejects.toMatchObject(throttled(50));
    await expect(guess('eve@acme.test', '192.0.2.2')).rejects.toMatchObject(wrong);
  });
});

describe('a password that is changed while another attempt is under way', () => {
  const passwordCost = { N: 1024, r: 8, p: 1 };
  const email = 'ada@acme.test';
  const [old, fresh] = ['the old pass word', 'the new pass word'];
  let database: Database;
  let logins: Logins;
  let userId: number;
  /** What happens in the database between the reading of the old hash and the transaction: attempts ask for the time there. */
  let meanwhile: (() => void) | null = null;

  beforeAll(async () => {
    database = await openPreparedDatabase();
    const parts = {
      db: database.kysely,
      clock: {
        now: () => {
          meanwhile?.();
          meanwhile = null;
          return 1_000_000;
        },
      },
      random: (count: number) => randomBytes(count),
      passwordCost,
    };
    logins = createLogins(parts);
    const accounts = createAccounts(parts);
    const organizationId = await accounts.createOrganization({ name: 'Acme', userId: null });
    userId = await accounts.createPerson({ email, organizationId, level: 'owner' }, old);
  });
  afterAll(() => database.close());
  beforeEach(async () => {
    await logins.setPassword({ userId, password: old, proof: null, keep: null });
  });

  const change = async (changed: { password?: string; is_active?: boolean }) => {
    const { password, ...rest } = changed;
    const hash = password && (await hashPassword(password, randomBytes, passwordCost));
    meanwhile = () =>
      void database.kysely
        .updateTable('users')
        .set({ ...rest, ...(hash ? { password_hash: hash } : {}) })
        .where('id', '=', userId)
        .execute();
  };
  const sessions = () => database.kysely.selectFrom('sessions').selectAll().execute();
  const login = (password: string) => logins.login({ email, password, ip: '192.0.2.1' });
  const set = (current: string, password: string) =>
    logins.setPassword({ userId, password, proof: { current, ip: '192.0.2.1' }, keep: null });

  it('opens no session to who knew the old one', async () => {
    await change({ password: fresh });
    await expect(login(old)).rejects.toMatchObject({ code: 'invalid_credentials' });
    expect(await sessions()).toEqual([]);
    await login(fresh);
  });

  it('nor one of a person who may not come in any more', async () => {
    await change({ is_active: false });
    await expect(login(old)).rejects.toMatchObject({ code: 'invalid_credentials' });
    await database.kysely.updateTable('users').set({ is_active: true }).execute();
  });

  it('is not changed by who knew the old one', async () => {
    await change({ password: fresh });
    await expect(set(old, 'that of a thief')).rejects.toMatchObject({ code: 'conflict' });
    await login(fresh);
    await set(fresh, old);
    await login(old);
  });
});
