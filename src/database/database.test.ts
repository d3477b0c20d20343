import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { type Database, openDatabase } from './database.ts';

const WHEN = new Date('2026-03-01T10:00:00.123Z');

describe('the embedded database', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-database-'));
  let database: Database;

  beforeAll(async () => {
    await prepareDatabase(dataDir, 'empty');
    database = await openDatabase({ dataDir });
  });
  afterAll(async () => {
    await database.close();
    rmSync(dataDir, { recursive: true });
  });

  const add = (name: string, db = database.kysely) =>
    db.insertInto('organizations').values({ id: crypto.randomUUID(), name, created_at: WHEN }).execute();
  const names = async () =>
    (await database.kysely.selectFrom('organizations').select('name').orderBy('name').execute()).map(
      (row) => row.name,
    );

  it('refuses a second process on the same directory', async () => {
    await expect(openDatabase({ dataDir })).rejects.toMatchObject({ code: 'data_dir_locked' });
  });

  it('keeps what concurrent callers do out of an open transaction', async () => {
    const failing = database.kysely.transaction().execute(async (trx) => {
      await add('inside', trx);
      void add('outside');
      await trx.selectFrom('organizations').selectAll().execute();
      throw new Error('undo');
    });
    await expect(failing).rejects.toThrow('undo');
    await add('after');
    expect(await names()).toEqual(['after', 'outside']);
  });

  it('runs many transactions asked for at once, each whole', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        database.kysely.transaction().execute(async (trx) => {
          await add(`t${i}a`, trx);
          if (i % 3 === 0) throw new Error('undo');
          await add(`t${i}b`, trx);
        }),
      ).map((promise) => promise.catch(() => {})),
    );
    const kept = (await names()).filter((name) => name.startsWith('t'));
    expect(kept).toHaveLength(2 * 13);
  });

  it('returns dates as Date, bigint as number and json parsed', async () => {
    await database.kysely
      .insertInto('instance')
      .values({ key: 'k', value: JSON.stringify({ a: [1, 'ü'] }) })
      .execute();
    const row = await database.kysely.selectFrom('instance').selectAll().executeTakeFirstOrThrow();
    expect(row.value).toEqual({ a: [1, 'ü'] });
    const org = await database.kysely
      .selectFrom('organizations')
      .select('created_at')
      .executeTakeFirstOrThrow();
    expect(org.created_at).toEqual(WHEN);
  });

  it('opens again on the same directory after closing', async () => {
    const before = await names();
    await database.close();
    database = await openDatabase({ dataDir });
    expect(await names()).toEqual(before);
  });
});
