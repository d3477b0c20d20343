import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Postgres, startPostgres } from './postgres.ts';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server?.stop());

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString });
  // The server is killed on purpose while connections are open.
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

it('is a real server, by port and by socket', async () => {
  expect(await query(server.url, 'SHOW server_version')).toEqual([[expect.stringMatching(/^18\./)]]);
  const bySocket = `postgres://postgres@/postgres?host=${server.socketDirectory}&port=${server.port}`;
  expect(await query(bySocket, 'SELECT inet_server_addr()')).toEqual([[null]]);
});

it('gives every test a database of its own', async () => {
  const [first, second] = [await server.createDatabase(), await server.createDatabase()];
  await query(first, 'CREATE TABLE t AS SELECT 1 AS x');
  await expect(query(second, 'SELECT x FROM t')).rejects.toMatchObject({ code: '42P01' });
});

it('recovers after a kill', async () => {
  const database = await server.createDatabase();
  await query(database, 'CREATE TABLE t AS SELECT 1 AS x');
  await query(database, 'CHECKPOINT');
  await server.kill();
  await expect(query(database, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await server.restart();
  expect(await query(database, 'SELECT x FROM t')).toEqual([[1]]);
});
