import { SluiceError } from '../errors/error.ts';
import { migrationsIn, refuseUnknown, statementsOf } from '../work/migrations.ts';
import type { Warehouse } from './warehouse.ts';

const FOLDER = new URL('./migrations/', import.meta.url);

interface Migration {
  readonly name: string;
  /** `….embedded.sql`: not for servers. */
  readonly embeddedOnly: boolean;
  readonly statements: readonly string[];
}

/**
 * Brings the warehouse to the newest of `migrations/NNNN_name.sql`, in order. ClickHouse has no DDL
 * transactions, so every statement may run again (`CREATE … IF NOT EXISTS`, `MODIFY SETTING`) after a crash, or in
 * two processes at once. What Sluice did not make it never alters: where all tables exist and
 * `sluice_migrations` does not (PostHog's own ClickHouse), nothing is written, so reading rights do.
 * Throws the warehouse's errors, `made_by_newer`, and, unless `mayUpdate`, `made_by_older` where an older Sluice made tables.
 */
export async function migrateWarehouse(warehouse: Warehouse, mayUpdate = true): Promise<void> {
  const migrations = readMigrations();
  const present = await tables(warehouse);
  const owned = present.has('sluice_migrations');
  if (!owned && migrations.every((migration) => tablesOf(migration).every((name) => present.has(name)))) {
    return;
  }
  if (!owned) {
    await warehouse.command({
      sql: `CREATE TABLE IF NOT EXISTS sluice_migrations (name String, applied_at DateTime64(3, 'UTC') DEFAULT now64(3))
            ENGINE = ReplacingMergeTree ORDER BY name`,
    });
  }
  const done = await known(warehouse, migrations);
  const missing = migrations.filter(
    ({ name, embeddedOnly }) => !done.has(name) && (warehouse.localFiles || !embeddedOnly),
  );
  if (!mayUpdate && done.size > 0 && missing.length > 0) {
    throw new SluiceError('made_by_older', {
      detail:
        `This Sluice is newer than the warehouse (which lacks ${missing.map(({ name }) => name).join(', ')}); start its ` +
        'server first, or use the command of the Sluice that runs.',
    });
  }
  for (const migration of missing) {
    for (const sql of migration.statements) await warehouse.command({ sql });
    await warehouse.command({
      sql: 'INSERT INTO sluice_migrations (name) SELECT {name:String}',
      params: { name: migration.name },
    });
  }
}

/** Throws the warehouse's errors and `made_by_newer`, and changes nothing. */
export async function refuseNewerWarehouse(warehouse: Warehouse): Promise<void> {
  if ((await tables(warehouse)).has('sluice_migrations')) await known(warehouse, readMigrations());
}

/** Throws `made_by_newer`. */
async function known(warehouse: Warehouse, migrations: readonly Migration[]): Promise<Set<string>> {
  const done = await applied(warehouse);
  refuseUnknown(
    'warehouse',
    done,
    migrations.map(({ name }) => name),
  );
  return done;
}

function readMigrations(): Migration[] {
  return migrationsIn(FOLDER).map((name) => ({
    name,
    embeddedOnly: name.endsWith('.embedded.sql'),
    statements: statementsOf(FOLDER, name),
  }));
}

async function tables(warehouse: Warehouse): Promise<Set<string>> {
  const rows = await warehouse.rows<{ name: string }>({
    sql: 'SELECT name FROM system.tables WHERE database = currentDatabase()',
  });
  return new Set(rows.map((row) => row.name));
}

async function applied(warehouse: Warehouse): Promise<Set<string>> {
  const rows = await warehouse.rows<{ name: string }>({ sql: 'SELECT DISTINCT name FROM sluice_migrations' });
  return new Set(rows.map((row) => row.name));
}

function tablesOf(migration: Migration): string[] {
  return migration.statements.flatMap((sql) => /^CREATE TABLE IF NOT EXISTS (\w+)/.exec(sql)?.[1] ?? []);
}
