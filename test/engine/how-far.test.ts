import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { takenSoFar } from '../../src/export/how-far.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';

let running: TestWarehouse;
beforeAll(async () => {
  running = await startTestWarehouse();
});
afterAll(() => running.close());

it.each([
  ['written by the engine', "INSERT INTO FUNCTION file('/dev/null', 'LineAsString') "],
  ['passed through', ''],
])('tells how far a file is that is %s, from the engine’s own list', async (_, head) => {
  const { warehouse } = running;
  const stop = new AbortController();
  const query = {
    sql: `${head}SELECT toString(sleepEachRow(0.01)) FROM numbers(1000000)`,
    settings: { max_block_size: 10, max_insert_block_size: 10, min_insert_block_size_rows: 1 },
    queryId: `run${head.length}-1-0-of-1`,
    signal: stop.signal,
  };
  const at = head === '' ? warehouse.bytes({ ...query, format: 'LineAsString' }) : warehouse.command(query);
  const settled = Promise.resolve(at).then(
    (stream) => stream?.destroy(),
    () => {},
  );
  await vi.waitFor(
    async () => {
      const taken = await takenSoFar(warehouse, { id: `run${head.length}`, total: 1_000_000 });
      expect([...taken.keys()]).toEqual([query.queryId]);
      expect(taken.get(query.queryId)).toBeGreaterThan(0);
    },
    { timeout: 30_000, interval: 50 },
  );
  expect((await takenSoFar(warehouse, { id: 'other', total: 1_000_000 })).size).toBe(0);
  stop.abort();
  await settled;
});
