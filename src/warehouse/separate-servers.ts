import { SluiceError } from '../errors/error.ts';
import { connectWarehouse, type WarehouseConnection } from './client.ts';
import { isLocal, isOfAll } from './identity.ts';

/** A balancer that takes turns shows two servers at the second; one that takes any hides the other of two once in 128 starts. */
const CONNECTIONS = 8;

/** What one connection led to. */
interface Seen {
  readonly host: string;
  /** Of `events`; null = not there. */
  readonly engine: string | null;
  /** Of the database. */
  readonly database: string | null;
}

/**
 * Looks through several connections whether the address leads to servers each of which has an `events` of its own, or
 * would get one: rows would go to one of them and be missed in the others. Throws `bad_configuration` then, and the
 * warehouse's errors.
 */
export async function refuseSeparateServers(connection: WarehouseConnection): Promise<void> {
  const seen: Seen[] = [];
  // One after the other: a user may have a limit of queries at once.
  for (let n = 0; n < CONNECTIONS; n++) seen.push(...(await look(connection)));
  if (areSeparate(seen)) throw new SluiceError('bad_configuration', { detail: REFUSAL });
}

async function look(connection: WarehouseConnection): Promise<Seen[]> {
  const fresh = connectWarehouse(connection);
  try {
    return await fresh.rows<Seen>({
      sql: `SELECT hostName() AS host,
              (SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = 'events') AS engine,
              (SELECT engine FROM system.databases WHERE name = currentDatabase()) AS database`,
    });
  } finally {
    await fresh.close();
  }
}

/** A table that is no MergeTree itself (distributed, a view) leads to those that are, and whoever made it knows where. */
export function areSeparate(seen: readonly Seen[]): boolean {
  if (new Set(seen.map(({ host }) => host)).size < 2) return false;
  return seen.some(({ engine, database }) => (engine === null ? !isOfAll(database ?? '') : isLocal(engine)));
}

const REFUSAL =
  'CLICKHOUSE_URL leads to several servers whose events are not replicated: each would hold a part of them. Let it lead to one server, ' +
  "or make the tables replicated or distributed first (their columns are in Sluice's src/warehouse/migrations).";
