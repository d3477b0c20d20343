import type { PostgresPool, PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { isOutage, isReadOnly, unavailable } from './outage.ts';

/**
 * A pool whose connections may break at any moment: what fails because of that throws `database_unavailable`, to be
 * tried again; statements that fail for their own reasons throw what they always did. `onError` is told of connections
 * that broke while nobody waited for an answer, idle ones and those in the middle of a transaction.
 *
 * A connection may also stay open with nobody at its other end. So a statement without an answer for `timeoutMs` counts as
 * one whose connection broke, and the connection is thrown away. Whether it was carried out is not known then, as after any
 * lost connection.
 */
export function guardedPool(pool: Pool, onError: (error: Error) => void, timeoutMs: number): PostgresPool {
  // pg takes its own listener off a connection that is handed out; without one, a connection that breaks between
  // two statements of a transaction ends the process.
  pool.on('connect', (client) => client.on('error', onError));
  pool.on('error', onError);
  return {
    options: pool.options,
    connect: async () => {
      try {
        return guardedClient(await pool.connect(), timeoutMs);
      } catch (error) {
        throw unavailable(error);
      }
    },
    end: () => pool.end(),
  };
}

function guardedClient(client: PoolClient, timeoutMs: number): PostgresPoolClient {
  let broken = false;
  const onBroken = () => {
    broken = true;
  };
  client.once('error', onBroken);
  client.once('end', onBroken);
  const query = async (sql: string, parameters: readonly unknown[]) => {
    // What waited in vain once would wait again: a rollback on a dead connection.
    if (broken) throw unavailable(new Error('the connection broke before'));
    try {
      return await inTime(client.query(sql, [...parameters]), timeoutMs, onBroken);
    } catch (error) {
      // Kept, it would go on to reach the server that was the primary before.
      if (isReadOnly(error)) onBroken();
      // pg gives a connection that ends in mid-query no code, which `broken` covers.
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

/** Rejects, and calls `onLate`, when `work` is not done after `ms`; what comes of it later is not looked at. */
function inTime<T>(work: Promise<T>, ms: number, onLate: () => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onLate();
      reject(new Error(`no answer for ${ms / 1000} s`));
    }, ms);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
