import { join } from 'node:path';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { systemClock } from '../work/clock.ts';
import { lockDirectory } from '../work/directory-lock.ts';
import { pgliteDialect } from './embedded/dialect.ts';
import { openPgliteThread, type PgliteThread } from './embedded/pglite-thread.ts';
import { startTidying } from './embedded/tidying.ts';
import { guardedPool } from './guarded-pool.ts';
import { type MigrateOptions, migrateDatabase, refuseNewerDatabase } from './migrate.ts';
import type { Tables } from './tables.ts';

export interface Database {
  readonly kysely: Kysely<Tables>;
  /** The engine below, for the queue, which speaks SQL itself. */
  readonly engine: { readonly pglite: PgliteThread } | { readonly pool: pg.Pool };
  close(): Promise<void>;
}

export interface DatabaseOptions extends MigrateOptions {
  /** A Postgres server; absent = PGlite in `dataDir`. */
  readonly url?: string | undefined;
  readonly dataDir: string;
  /** Milliseconds that a statement to a server may take; default 60,000. Migrations take as long as they need. */
  readonly timeoutMs?: number | undefined;
  /**
   * Told of lost connections, or of the embedded database's thread; they are replaced by themselves; and of a tidying
   * that failed.
   */
  readonly onError?: (error: Error) => void;
  /** Told of a table of the embedded database that is about to be frozen: everybody waits until it is. */
  readonly onFreeze?: (table: string) => void;
}

/** Opens the database and brings its tables up to date. Throws `data_dir_locked` (embedded), `made_by_newer`, `made_by_older`. */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const database = await openAsItIs(options);
  try {
    await database.update();
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

export interface DatabaseAsItIs extends Database {
  /** Brings the tables up to date. Throws `made_by_newer`, `made_by_older`. */
  update(): Promise<void>;
}

/** Opens the database and changes nothing in it. Throws `data_dir_locked` (embedded), `made_by_newer`. */
export async function openAsItIs(options: DatabaseOptions): Promise<DatabaseAsItIs> {
  const { patiently, ...database } = options.url
    ? openServer({ ...options, url: options.url })
    : await openEmbedded(options);
  try {
    await refuseNewerDatabase(database.kysely);
  } catch (error) {
    await database.close();
    throw error;
  }
  return { ...database, update: () => patiently((db) => migrateDatabase(db, options)) };
}

interface OpenedDatabase extends Database {
  /** Work whose statements may take long. */
  patiently<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
}

const INT8 = 20;
const TIMEOUT_MS = 60_000;
const MIGRATION_MS = 6 * 3_600_000;
/** The kernel asks an idle connection whether its other end is there, first after so long. */
const KEEP_ALIVE_MS = 30_000;

function openServer(options: DatabaseOptions & { readonly url: string }): OpenedDatabase {
  const { timeoutMs = TIMEOUT_MS } = options;
  const config = {
    connectionString: options.url,
    max: 10,
    connectionTimeoutMillis: Math.min(10_000, timeoutMs),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    // Counts fit a double; without this pg hands bigint back as text.
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  };
  const pool = new pg.Pool(config);
  // A process that vanished without a word must not keep its locks until the kernel misses it, two hours later, and a
  // statement that nobody waits for any more must not go on. No start-up parameters: connection poolers refuse those
  // they do not know.
  pool.on('connect', (client) => {
    const patience = `set idle_in_transaction_session_timeout = ${2 * timeoutMs}; set statement_timeout = ${timeoutMs}`;
    client.query(patience).catch((error: Error) => options.onError?.(error));
  });
  const onError = (error: Error) => options.onError?.(error);
  const guarded = guardedPool(pool, onError, timeoutMs);
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded }) });
  const slow = { ...guardedPool(pool, () => {}, MIGRATION_MS), end: async () => {} };
  const patient = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: slow }) });
  return {
    kysely,
    patiently: (work) => work(patient),
    engine: { pool },
    close: () => kysely.destroy(),
  };
}

/**
 * PGlite keeps every commit through kill -9 but does not fsync: a power cut may lose the last ones.
 * Two processes on one folder lose rows, hence the lock.
 */
async function openEmbedded({ dataDir, onError, onFreeze }: DatabaseOptions): Promise<OpenedDatabase> {
  const lock = lockDirectory(join(dataDir, 'database.lock'));
  try {
    const pglite = await openPgliteThread(join(dataDir, 'database'), onError);
    const kysely = new Kysely<Tables>({ dialect: pgliteDialect(pglite) });
    const tidying = startTidying(pglite, systemClock, (error) => onError?.(error as Error), onFreeze);
    return {
      kysely,
      patiently: (work) => pglite.patiently(() => work(kysely)),
      engine: { pglite },
      close: async () => {
        try {
          await tidying.stop();
          await kysely.destroy();
          await pglite.close();
        } finally {
          lock.release();
        }
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
