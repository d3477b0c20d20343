import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { type Database, openDatabase } from '../database/database.ts';
import { createLogins, type Logins } from './login.ts';

/** 5 in a minute for an address and an e-mail, 100 for an address. */
describe('attempts of one address at many e-mails', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-login-'));
  const clock = { time: 1_000_000, now: () => clock.time };
  let database: Database;
  let logins: Logins;

  beforeAll(async () => {
    await prepareDatabase(dataDir);
    database = await openDatabase({ dataDir });
  });
  afterAll(async () => {
    await database.close();
    rmSync(dataDir, { recursive: true });
  });
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
