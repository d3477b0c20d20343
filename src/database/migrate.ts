import { type Kysely, sql } from 'kysely';
import { SluiceError } from '../errors/error.ts';
import { migrationsIn, refuseUnknown, statementsOf } from '../work/migrations.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Any constant: processes that start together wait for the one that migrates. */
const ADVISORY_LOCK = 7_583_320_201;

export interface MigrateOptions {
  /** False = tables of an older Sluice are refused. Default: they are updated. */
  readonly mayUpdate?: boolean | undefined;
  /** Told of each migration of tables that are there, before it begins: on large ones it may take minutes. */
  readonly onUpdate?: ((name: string) => void) | undefined;
}

/**
 * Brings the database to the newest of `migrations/NNNN_name.sql`, in order, once; tables that are there one migration at a
 * time, so that a start that is stopped in between has done what it has done. Throws `made_by_newer` when the database has a
 * migration this version does not know: an older Sluice must not write to a newer one's tables; and `made_by_older`, unless
 * `mayUpdate`, when there are tables and they lack one.
 */
export async function migrateDatabase<Tables>(
  db: Kysely<Tables>,
  options: MigrateOptions = {},
): Promise<void> {
  for (let isMore = true; isMore; ) isMore = await migrateNext(db, options);
}

/** Throws `made_by_newer`, and changes nothing. */
export async function refuseNewerDatabase<Tables>(db: Kysely<Tables>): Promise<void> {
  const { rows } = await sql<{ there: boolean }>`
    select to_regclass('sluice_migrations') is not null as there`.execute(db);
  if (rows[0]?.there) missingOf(await applied(db));
}

/** True = there may be more to do. */
async function migrateNext<Tables>(
  db: Kysely<Tables>,
  { mayUpdate = true, onUpdate }: MigrateOptions,
): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    // However long the statements of a server may take, those of a migration and the wait for another's are not among
    // them.
    await sql`set local statement_timeout = 0`.execute(trx);
    await sql`select pg_advisory_xact_lock(${sql.lit(ADVISORY_LOCK)})`.execute(trx);
    // Behind the lock: of two that look at once, each would find none and the second fail to make it.
    await sql`create table if not exists sluice_migrations (name text primary key)`.execute(trx);
    const done = await applied(trx);
    const missing = missingOf(done);
    if (!mayUpdate && done.size > 0 && missing.length > 0) {
      throw new SluiceError('made_by_older', {
        detail:
          `This Sluice is newer than the database (which lacks ${missing.join(', ')}); start its server first, ` +
          'or use the command of the Sluice that runs.',
      });
    }
    const now = done.size === 0 ? missing : missing.slice(0, 1);
    for (const name of now) {
      if (done.size > 0) onUpdate?.(name);
      for (const statement of statementsOf(FOLDER, name)) {
        await sql.raw(statement).execute(trx);
      }
      await sql`insert into sluice_migrations (name) values (${name})`.execute(trx);
    }
    return now.length < missing.length;
  });
}

async function applied<Tables>(db: Kysely<Tables>): Promise<ReadonlySet<string>> {
  const { rows } = await sql<{ name: string }>`select name from sluice_migrations`.execute(db);
  return new Set(rows.map((row) => row.name));
}

/** Throws `made_by_newer`. */
function missingOf(done: ReadonlySet<string>): string[] {
  const known = migrationsIn(FOLDER);
  refuseUnknown('database', done, known);
  return known.filter((name) => !done.has(name));
}
