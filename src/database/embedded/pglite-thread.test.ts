import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { prepareDatabase } from '../../../test/kit/prepared-database.ts';
import { openPgliteThread, type PgliteThread, spawnThread } from './pglite-thread.ts';

describe('PGlite in its thread', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-thread-'));
  const threads: Worker[] = [];
  const losses: string[] = [];
  let pglite: PgliteThread;

  const open = () =>
    openPgliteThread(join(dataDir, 'database'), (error) => losses.push(error.message), {
      spawn: (workerData) => {
        const thread = spawnThread(workerData);
        threads.push(thread);
        return thread;
      },
    });
  const killThread = () => threads.at(-1)?.terminate();
  const kept = async () => (await pglite.query('select n from kept order by n')).rows;

  beforeAll(async () => {
    await prepareDatabase(dataDir, 'empty');
    pglite = await open();
    await pglite.exec('create table kept (n int primary key)');
  });
  afterAll(async () => {
    await pglite.close();
    rmSync(dataDir, { recursive: true });
  });

  it('answers values of every kind as they are', async () => {
    const at = new Date('2026-03-01T10:00:00.123Z');
    const { rows } = await pglite.query(
      `select $1::timestamptz as at, $2::jsonb as tree, 'null'::jsonb as json_null, null::jsonb as absent, $3::bytea as bytes,
         array[1, 2] as numbers, 9007199254740991::bigint as large, 'a' as text, true as yes`,
      [at, JSON.stringify({ a: [1, 'ü'], b: null }), new Uint8Array([0, 255])],
    );
    expect(rows).toEqual([
      {
        at,
        tree: { a: [1, 'ü'], b: null },
        json_null: null,
        absent: null,
        bytes: new Uint8Array([0, 255]),
        numbers: [1, 2],
        large: 9007199254740991,
        text: 'a',
        yes: true,
      },
    ]);
  });

  it.each([
    '0001-01-01T00:00:00.000Z',
    '0049-12-31T23:59:59.123Z',
    '0099-06-01T10:00:00.000Z',
    '0100-01-01T00:00:00.000Z',
    '9999-12-31T23:59:59.999Z',
  ])('answers %s in its own century', async (text) => {
    const select = 'select $1::timestamptz as at, $1::timestamp as bare';
    const { rows } = await pglite.query(select, [text]);
    expect(rows).toEqual([{ at: new Date(text), bare: expect.any(Date) }]);
    expect((rows[0] as { bare: Date }).bare.getUTCFullYear()).toBe(new Date(text).getUTCFullYear());
  });

  it('tells the errors of Postgres with their code and constraint, without parameters', async () => {
    await pglite.query('insert into kept values ($1)', [1]);
    const error = await pglite.query('insert into kept values ($1)', [1]).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: '23505', constraint: 'kept_pkey', table: 'kept' });
    expect(error).not.toHaveProperty('params');
  });

  it('refuses a value that cannot be sent, and goes on', async () => {
    await expect(pglite.query('select $1', [() => {}])).rejects.toThrow('could not be cloned');
    expect(await kept()).toEqual([{ n: 1 }]);
  });

  it('starts a new thread after one that ended: commits are there, the open transaction is not, listeners are', async () => {
    const heard = Promise.withResolvers<string>();
    await pglite.listen('news', heard.resolve);
    const transaction = await pglite.begin();
    await transaction.query('insert into kept values (2)');
    const waits = pglite.query('select 1');
    const refused = expect(waits).rejects.toMatchObject({ code: 'database_unavailable' });
    await killThread();
    await refused;
    await expect(transaction.query('select 1')).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(losses).toEqual(['the thread of the embedded database ended (1)']);
    await pglite.query('insert into kept values (3)');
    await pglite.query("notify news, 'good'");
    expect(await kept()).toEqual([{ n: 1 }, { n: 3 }]);
    expect(await heard.promise).toBe('good');
    expect(threads).toHaveLength(2);
  });

  it('replaces a thread that owes an answer and gives none', async () => {
    const spinning = `require('node:worker_threads').parentPort.on('message', ({ id, op }) => {
      for (; op === 'query'; );
      require('node:worker_threads').parentPort.postMessage({ id, value: null });
    })`;
    const spawned = [new Worker(spinning, { eval: true })];
    const lost: string[] = [];
    const another = mkdtempSync(join(tmpdir(), 'sluice-silent-'));
    await prepareDatabase(another, 'empty');
    const silent = await openPgliteThread(join(another, 'database'), (error) => lost.push(error.message), {
      spawn: (workerData) => spawned.pop() ?? spawnThread(workerData),
      silentMs: 6_000,
    });
    await expect(silent.query('select 1')).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(lost).toEqual(['the embedded database did not answer for 6 s']);
    expect((await silent.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await silent.close();
    rmSync(another, { recursive: true });
  });

  it('waits for a thread for as long as what it does may take', async () => {
    const slow = `require('node:worker_threads').parentPort.on('message', ({ id, op }) => {
      setTimeout(() => require('node:worker_threads').parentPort.postMessage({ id, value: { fields: [], rows: [] } }), op === 'query' ? 400 : 0);
    })`;
    const open = () =>
      openPgliteThread('/nowhere', () => {}, {
        spawn: () => new Worker(slow, { eval: true }),
        silentMs: 100,
      });
    const pglite = await open();
    expect((await pglite.patiently(() => pglite.query('select 1'))).rows).toEqual([]);
    await expect(pglite.query('select 1')).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  it('says why a database cannot be opened', async () => {
    const blocked = openPgliteThread(join(dataDir, 'database', 'PG_VERSION'));
    await expect(blocked).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/^The embedded database in .* could not be opened: /),
    });
  });

  it('answers nothing more once it is closed', async () => {
    await pglite.close();
    await expect(pglite.query('select 1')).rejects.toMatchObject({ code: 'database_unavailable' });
    expect(losses).toHaveLength(1);
    pglite = await open();
    expect(await kept()).toEqual([{ n: 1 }, { n: 3 }]);
  });
});
