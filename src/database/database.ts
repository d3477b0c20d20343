import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { lockDirectory } from '../work/directory-lock.ts';
import { guardedPool } from './guarded-pool.ts';
import { migrateDatabase } from './migrate.ts';
import { pgliteDialect } from './pglite-dialect.ts';
import type { Tables } from './tables.ts';

export interface Database {
  readonly kysely: Kysely<Tables>;
  /** The engine below, for the queue, which speaks SQL itself. */
  readonly engine: { readonly pglite: PGlite } | { readonly pool: pg.Pool };
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** A Postgres server; absent = PGlite in `dataDir`. */
  readonly url?: string | undefined;
  readonly dataDir: string;
  /** Told of lost connections; the pool replaces them by itself. */
  readonly onError?: (error: Error) => void;
}

/** Opens the database and brings its tables up to date. Throws `data_dir_locked` (embedded). */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const database = options.url
    ? openServer(options.url, options.onError)
    : await openEmbedded(options.dataDir);
  try {
    await migrateDatabase(database.kysely);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

const INT8 = 20;

function openServer(url: string, onError: ((error: Error) => void) | undefined): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 10_000,
    // Counts fit a double; without this pg hands bigint back as text.
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format as 'text'),
    } as pg.CustomTypesConfig,
  });
  const guarded = guardedPool(pool, (error) => onError?.(error));
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool: guarded }) });
  return { kysely, engine: { pool }, close: () => kysely.destroy() };
}

/**
 * PGlite keeps every commit through kill -9 but does not fsync: a power cut may lose the last ones.
 * Two processes on one folder lose rows, hence the lock.
 */
async function openEmbedded(dataDir: string): Promise<Database> {
  const lock = lockDirectory(join(dataDir, 'database.lock'));
  try {
    const pglite = await PGlite.create(join(dataDir, 'database'));
    const kysely = new Kysely<Tables>({ dialect: pgliteDialect(pglite) });
    return {
      kysely,
      engine: { pglite },
      close: async () => {
        await kysely.destroy();
        await pglite.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}
