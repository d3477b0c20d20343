import { randomBytes } from 'node:crypto';
import type { Config } from './config.ts';
import type { Database } from './database/database.ts';
import { checkListening } from './http/listening.ts';
import { loadSecretKeys, type SecretKeys } from './integrations/secret-key.ts';
import { connectWarehouse, type WarehouseConnection } from './warehouse/client.ts';
import { findRunningWarehouse } from './warehouse/embedded/endpoint-file.ts';
import { startEmbeddedWarehouse } from './warehouse/embedded/start.ts';
import { migrateWarehouse, refuseNewerWarehouse } from './warehouse/migrate.ts';
import { refuseSeparateServers } from './warehouse/separate-servers.ts';
import type { Warehouse } from './warehouse/warehouse.ts';
import { systemClock } from './work/clock.ts';
import { complaints } from './work/complaints.ts';
import type { Log } from './work/log.ts';

type WarehouseSettings = Pick<Config, 'clickhouseUrl' | 'dataDir' | 'warehouseMemory' | 'warehouseTimeoutMs'>;

type ServerSettings = WarehouseSettings &
  Pick<Config, 'databaseUrl' | 'databaseTimeoutMs' | 'host' | 'port' | 'secretKey'>;

/**
 * The database and the warehouse of a server, and its secret keys; both engines started at once and stopped with `stack`. The warehouse's process
 * is on its way before the code of the database is loaded. Neither is brought up to date before nothing is known any more
 * that keeps this server from starting: there is no way back to the version before.
 */
export async function openEngines(
  config: ServerSettings,
  log: Log,
  stack: AsyncDisposableStack,
): Promise<{ database: Database; warehouse: Warehouse; secrets: SecretKeys }> {
  const opening = await Promise.allSettled([openAtMostOurs(config, log), openDatabase(config, log)]);
  for (const one of opening) {
    if (one.status === 'fulfilled') stack.defer(() => one.value.close());
  }
  const [warehouse, database] = opening;
  // The database's lock is the data directory's: its message is the one a person needs.
  if (database.status === 'rejected') throw database.reason;
  if (warehouse.status === 'rejected') throw warehouse.reason;
  const { dataDir, secretKey: configured } = config;
  const secrets = loadSecretKeys({ configured, dataDir, random: randomBytes });
  await checkListening(config.host, config.port);
  await Promise.all([database.value.update(), update(warehouse.value, config, log, true)]);
  return { database: database.value, warehouse: warehouse.value.warehouse, secrets };
}

type DatabaseSettings = Pick<Config, 'databaseUrl' | 'dataDir' | 'databaseTimeoutMs'>;

async function openDatabase({ databaseUrl, dataDir, databaseTimeoutMs }: DatabaseSettings, log: Log) {
  const { openAsItIs } = await import('./database/database.ts');
  return await openAsItIs({
    url: databaseUrl,
    dataDir,
    timeoutMs: databaseTimeoutMs,
    onError: complaints(log, systemClock, 'trouble with the database').failed,
    onUpdate: (migration) =>
      log.info({ migration }, 'bringing the database up to date; with large tables this takes minutes'),
    onFreeze: (table) =>
      log.info({ table }, 'freezing a table of the embedded database, which answers nobody meanwhile'),
  });
}

export interface OpenWarehouse {
  readonly warehouse: Warehouse;
  close(): Promise<void>;
}

/** ClickHouse at `CLICKHOUSE_URL`, or the embedded one. Throws `data_dir_locked`. */
export async function openWarehouse(config: WarehouseSettings, log: Log): Promise<OpenWarehouse> {
  const connection = serverOf(config, log);
  if (connection === null) {
    return startEmbeddedWarehouse({ dataDir: config.dataDir, port: 0, memory: config.warehouseMemory, log });
  }
  const warehouse = connectWarehouse(connection);
  return { warehouse, close: () => warehouse.close() };
}

/** Null = the embedded engine. */
function serverOf(config: WarehouseSettings, log: Log): WarehouseConnection | null {
  if (config.clickhouseUrl === undefined) return null;
  return { url: config.clickhouseUrl, localFiles: false, log, silenceMs: config.warehouseTimeoutMs };
}

/**
 * For a command that works beside a server: the warehouse that already runs on the directory, or its own. Throws
 * `made_by_older` instead of changing what an older server works with.
 */
export async function joinWarehouse(config: WarehouseSettings, log: Log): Promise<OpenWarehouse> {
  const running = config.clickhouseUrl === undefined ? await findRunningWarehouse(config.dataDir) : null;
  if (running) {
    const warehouse = connectWarehouse({ url: running.url, localFiles: true, log });
    return { warehouse, close: () => warehouse.close() };
  }
  const own = await openAtMostOurs(config, log);
  try {
    await update(own, config, log, false);
    return own;
  } catch (error) {
    await own.close();
    throw error;
  }
}

/** Unless a newer Sluice made it. Nothing is changed. */
async function openAtMostOurs(config: WarehouseSettings, log: Log): Promise<OpenWarehouse> {
  const own = await openWarehouse(config, log);
  const server = serverOf(config, log);
  try {
    // Before anything is made, so that none of several servers gets tables of its own.
    if (server) await refuseSeparateServers(server);
    await refuseNewerWarehouse(own.warehouse);
    return own;
  } catch (error) {
    await own.close();
    throw error;
  }
}

async function update(
  { warehouse }: OpenWarehouse,
  config: WarehouseSettings,
  log: Log,
  mayUpdate: boolean,
): Promise<void> {
  const server = serverOf(config, log);
  await migrateWarehouse(warehouse, mayUpdate);
  // Again, because the tables tell what the database does with them.
  if (server) await refuseSeparateServers(server);
}
