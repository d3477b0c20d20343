import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely';
import type { PgliteThread, SqlTransaction } from './pglite-thread.ts';

/**
 * Kysely on PGlite, safe for concurrent callers.
 *
 * Kysely 0.29 ships a dialect that keeps one connection object for everybody: a query issued while
 * somebody else's transaction is open runs inside that transaction, and two transactions overwrite
 * each other. Here every acquired connection has its own transaction, and everybody else waits until
 * it ends.
 */
export function pgliteDialect(pglite: PgliteThread): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PgliteDriver(pglite),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

class PgliteDriver implements Driver {
  readonly #pglite: PgliteThread;

  constructor(pglite: PgliteThread) {
    this.#pglite = pglite;
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<PgliteConnection> {
    return new PgliteConnection(this.#pglite);
  }

  beginTransaction(connection: PgliteConnection): Promise<void> {
    return connection.begin();
  }

  commitTransaction(connection: PgliteConnection): Promise<void> {
    return connection.commit();
  }

  rollbackTransaction(connection: PgliteConnection): Promise<void> {
    return connection.rollback();
  }

  async releaseConnection(): Promise<void> {}

  /** The instance belongs to `openDatabase`, which closes it. */
  async destroy(): Promise<void> {}
}

class PgliteConnection implements DatabaseConnection {
  readonly #pglite: PgliteThread;
  #open: SqlTransaction | undefined;

  constructor(pglite: PgliteThread) {
    this.#pglite = pglite;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const target = this.#open ?? this.#pglite;
    const result = await target.query<Row>(query.sql, query.parameters);
    return {
      rows: result.rows,
      ...(result.affectedRows === undefined ? {} : { numAffectedRows: BigInt(result.affectedRows) }),
    };
  }

  // biome-ignore lint/correctness/useYield: PGlite has no cursors; the method is part of the interface
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Streaming is not supported by PGlite.');
  }

  async begin(): Promise<void> {
    this.#open = await this.#pglite.begin();
  }

  commit(): Promise<void> {
    return this.#finish('commit');
  }

  rollback(): Promise<void> {
    return this.#finish('rollback');
  }

  async #finish(how: 'commit' | 'rollback'): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.end(how);
  }
}
