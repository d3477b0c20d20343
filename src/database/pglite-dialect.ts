import type { PGlite, Transaction as PgliteTransaction } from '@electric-sql/pglite';
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

/**
 * Kysely on PGlite, safe for concurrent callers.
 *
 * Kysely 0.29 ships a dialect that keeps one connection object for everybody: a query issued while
 * somebody else's transaction is open runs inside that transaction, and two transactions overwrite
 * each other. Here every acquired connection has its own transaction, and PGlite's own lock makes
 * everybody else wait until it ends.
 */
export function pgliteDialect(pglite: PGlite): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new PgliteDriver(pglite),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  };
}

class PgliteDriver implements Driver {
  readonly #pglite: PGlite;

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
  }

  async init(): Promise<void> {
    await this.#pglite.waitReady;
  }

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

interface OpenTransaction {
  readonly tx: PgliteTransaction;
  readonly end: (how: 'commit' | 'rollback') => void;
  readonly ended: Promise<void>;
}

class PgliteConnection implements DatabaseConnection {
  readonly #pglite: PGlite;
  #open: OpenTransaction | undefined;

  constructor(pglite: PGlite) {
    this.#pglite = pglite;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    const target = this.#open?.tx ?? this.#pglite;
    const result = await target.query<Row>(query.sql, [...query.parameters]);
    return {
      rows: result.rows,
      ...(result.affectedRows === undefined ? {} : { numAffectedRows: BigInt(result.affectedRows) }),
    };
  }

  // biome-ignore lint/correctness/useYield: PGlite has no cursors; the method is part of the interface
  async *streamQuery(): AsyncIterableIterator<never> {
    throw new Error('Streaming is not supported by PGlite.');
  }

  begin(): Promise<void> {
    return new Promise((begun, failed) => {
      const rolledBack = new Error('rolled back');
      let end: OpenTransaction['end'] = () => {};
      const decision = new Promise<void>((commit, rollback) => {
        end = (how) => (how === 'commit' ? commit() : rollback(rolledBack));
      });
      const ended = this.#pglite
        .transaction(async (tx) => {
          this.#open = { tx, end, ended };
          begun();
          await decision;
        })
        .catch((error) => {
          failed(error);
          if (error !== rolledBack) throw error;
        });
      ended.catch(() => {});
    });
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
    open?.end(how);
    await open?.ended;
  }
}
