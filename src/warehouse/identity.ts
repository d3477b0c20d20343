import type { Warehouse } from './warehouse.ts';

/** Which `events` a warehouse has. */
export interface EventsTable {
  readonly embedded: boolean;
  readonly database: string;
  /** Null where the database's engine gives its tables none. */
  readonly uuid: string | null;
  /** It is replicated, or leads to other tables (distributed, a view): each node has one, with a UUID of its own. */
  readonly shared: boolean;
}

const NO_UUID = '00000000-0000-0000-0000-000000000000';

/**
 * The embedded engine's database shows no UUIDs, but keeps its tables in directories that are called so. Throws the
 * warehouse's errors. `events` must exist.
 */
export async function eventsTable(warehouse: Pick<Warehouse, 'rows' | 'localFiles'>): Promise<EventsTable> {
  const [row] = await warehouse.rows<{ database: string; id: string; directory: string; engine: string }>({
    sql: `SELECT currentDatabase() AS database, toString(uuid) AS id, engine,
            extract(data_paths[1], '/([0-9a-f-]{36})/$') AS directory
          FROM system.tables WHERE database = currentDatabase() AND name = 'events'`,
  });
  const { database = '', id = NO_UUID, directory = '', engine = '' } = row ?? {};
  return {
    embedded: warehouse.localFiles,
    database,
    uuid: id === NO_UUID ? directory || null : id,
    shared: !isLocal(engine),
  };
}

/** Whether `events` is on one node alone; a server is asked once, and again while it does not answer. Throws its errors then. */
export function createOneCopy(warehouse: Pick<Warehouse, 'rows' | 'localFiles'>): () => Promise<boolean> {
  let known: boolean | null = warehouse.localFiles || null;
  return async () => {
    known ??= !(await eventsTable(warehouse)).shared;
    return known;
  };
}

/** Tables that many nodes share are taken for the same: nothing tells them apart from every node. */
export const isSameTable = (one: EventsTable, other: EventsTable): boolean =>
  one.uuid === other.uuid || (one.shared && other.shared);

/** Whether a server with a table of this engine has its rows for itself alone. */
export const isLocal = (engine: string): boolean => engine.endsWith('MergeTree') && !isOfAll(engine);

/** Of a table or a database: what one server gets, all have. */
export const isOfAll = (engine: string): boolean => /^(Replicated|Shared)/.test(engine);
