import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectWarehouse } from '../../src/warehouse/client.ts';
import { refuseSeparateServers } from '../../src/warehouse/separate-servers.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

/** The embedded engine, spoken to as a server is. */
let running: TestWarehouse;
let server: Warehouse;
beforeAll(async () => {
  running = await startTestWarehouse();
  server = connectWarehouse({ url: running.url, localFiles: false });
});
afterAll(async () => {
  await server?.close();
  await running?.close();
});

const inForce = (warehouse: Warehouse, settings: Record<string, string | number> = {}) =>
  warehouse
    .rows<{ name: string; value: string }>({
      sql: `SELECT name, value FROM system.settings
            WHERE name LIKE '%_overflow_mode' OR name LIKE '%unavailable_shards' OR name LIKE '%for_distributed_queries'
               OR name LIKE '%foreground_insert' OR name = 'use_query_cache'`,
      settings,
    })
    .then((rows) => Object.fromEntries(rows.map(({ name, value }) => [name, value])));

test.each([0, 2])(
  'a server is told to answer whole or not at all, also where readonly is %i',
  async (readonly) => {
    const settings = await inForce(server, { readonly });
    expect(settings).toMatchObject({
      skip_unavailable_shards: '0',
      max_replica_delay_for_distributed_queries: '15',
      fallback_to_stale_replicas_for_distributed_queries: '0',
      distributed_foreground_insert: '1',
      use_query_cache: '0',
      timeout_overflow_mode: 'throw',
    });
    const modes = Object.entries(settings).filter(([name]) => name.endsWith('_overflow_mode'));
    expect(modes.length).toBeGreaterThanOrEqual(9);
    expect(new Set(modes.map(([, mode]) => mode))).toEqual(new Set(['throw']));
  },
);

test('one server may have tables that are not replicated', async () => {
  await refuseSeparateServers({ url: running.url, localFiles: false });
  const [events] = await server.rows({ sql: "SELECT engine FROM system.tables WHERE name = 'events'" });
  expect(events).toEqual({ engine: 'ReplacingMergeTree' });
});

test('the embedded engine, which has neither replicas nor shards, is left alone', async () => {
  expect(await inForce(running.warehouse)).toMatchObject({
    max_replica_delay_for_distributed_queries: '300',
    distributed_foreground_insert: '0',
  });
});

test('a query that is stopped for its time does not count what it got so far', async () => {
  const counting = server.rows({
    sql: 'SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number) = 1',
    settings: { max_execution_time: 0.2 },
  });
  await expect(counting).rejects.toMatchObject({ code: 'warehouse_overloaded' });
});
