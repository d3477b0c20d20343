import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { SluiceError } from '../errors/error.ts';

/**
 * A pool whose connections may break at any moment: what fails because of that throws `database_unavailable`, to be
 * tried again; statements that fail for their own reasons throw what they always did. `onError` is told of connections
 * that broke while nobody waited for an answer, idle ones and those in the middle of a transaction.
 */
export function guardedPool(pool: Pool, onError: (error: Error) => void): PostgresPool {
  // pg takes its own listener off a connection that is handed out; without one, a connection that breaks between
  // two statements of a transaction ends the process.
  pool.on('connect', (client) => client.on('error', onError));
  pool.on('error', onError);
  return {
    options: pool.options,
    connect: async () => {
      try {
        return guardedClient(await pool.connect());
      } catch (error) {
        throw unavailable(error);
      }
    },
    end: () => pool.end(),
  };
}

function guardedClient(client: PoolClient): PostgresPoolClient {
  let broken = false;
  const onBroken = () => {
    broken = true;
  };
  client.once('error', onBroken);
  client.once('end', onBroken);
  const query = async (sql: string, parameters: readonly unknown[]) => {
    try {
      return await client.query(sql, [...parameters]);
    } catch (error) {
      throw broken || isOutage(error) ? unavailable(error) : error;
    }
  };
  return {
    // Without cursors there is no other way to call it.
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy) => {
      client.removeListener('error', onBroken);
      client.removeListener('end', onBroken);
      client.release(broken || destroy);
    },
  };
}

/**
 * SQLSTATE classes 08 (connection), 53 (out of resources), 57P (the server is stopping or starting) and the errno
 * names of sockets. pg gives a connection that ends in mid-query no code, which `broken` covers.
 */
function isOutage(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(08...|53...|57P..|ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/.test(code);
}

const unavailable = (cause: unknown): SluiceError => new SluiceError('database_unavailable', { cause });
