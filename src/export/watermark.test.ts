import { expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import type { Query } from '../warehouse/warehouse.ts';
import type { Report } from '../work/complaints.ts';
import { arrivalWatermark } from './watermark.ts';

/**
 * What a replicated server says, which no embedded engine can; that the embedded one understands the questions is in
 * test/engine.
 */
const NOW = Date.UTC(2026, 2, 1);

function watermark(
  replicas: () => unknown[],
  localFiles = false,
  server = 1e15,
  report?: Report,
): Promise<number> {
  const rows = async ({ sql }: Query) =>
    sql.includes('system.replicas') ? replicas() : [{ seconds: 2.5, id: 'slow', server: String(server) }];
  return arrivalWatermark({
    warehouse: { rows: rows as never, localFiles },
    clock: { now: () => NOW, sleep: async () => {} },
    settleMs: 30_000,
    oldestInFlight: () => null,
    report,
  });
}

it('is held back by what the replica is behind', async () => {
  expect(await watermark(() => [{ seconds: '90' }])).toBe(NOW - 30_000 - 90_000);
});

it('is held back by the oldest insert when that is longer', async () => {
  expect(await watermark(() => [{ seconds: '2' }])).toBe(NOW - 30_000 - 2_500);
  expect(await watermark(() => [{ seconds: '0' }])).toBe(NOW - 30_000 - 2_500);
});

it('goes by the settle delay alone for a user who may not see replicas', async () => {
  const denied = () => {
    throw new SluiceError('warehouse_denied');
  };
  expect(await watermark(denied)).toBe(NOW - 30_000 - 2_500);
});

it('is unknown while the replicas cannot be asked', async () => {
  const away = () => {
    throw new SluiceError('warehouse_unavailable');
  };
  await expect(watermark(away)).rejects.toMatchObject({ code: 'warehouse_unavailable' });
});

it('does not ask the embedded engine for replicas', async () => {
  const wrong = () => {
    throw new Error('asked');
  };
  expect(await watermark(wrong, true)).toBe(NOW - 30_000 - 2_500);
});

it('is held back by a server whose clock is behind, however far from both our clock is set', async () => {
  const reached = await watermark(() => [], false, Date.now() - 3_600_000);
  expect(reached).toBeLessThanOrEqual(NOW - 30_000 - 2_500 - 3_600_000);
  expect(reached).toBeGreaterThan(NOW - 30_000 - 2_500 - 3_660_000);
});

it('says what holds it back for minutes, and when that is over', async () => {
  const told: unknown[] = [];
  const report = {
    failed: (_: unknown, fields?: object) => told.push(fields),
    worked: () => told.push('over'),
  };
  await watermark(() => [{ seconds: '299' }], false, 1e15, report);
  await watermark(() => [{ seconds: '300' }], false, 1e15, report);
  expect(told).toEqual(['over', { replicaMs: 300_000, insertMs: 2_500, insertId: 'slow', skewMs: 0 }]);
});
