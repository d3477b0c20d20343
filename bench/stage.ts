import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { bulkEvents } from '../src/demo/bulk.ts';
import { startEmbeddedWarehouse } from '../src/warehouse/embedded/start.ts';
import { migrateWarehouse } from '../src/warehouse/migrate.ts';
import type { Warehouse } from '../src/warehouse/warehouse.ts';

export interface Stage extends AsyncDisposable {
  readonly warehouse: Warehouse;
  /** With credentials, for contestants that bring their own client. */
  readonly warehouseUrl: string;
  readonly folder: string;
  readonly rows: number;
  readonly from: Date;
  readonly to: Date;
}

const ROWS_PER_INSERT = 1_000_000;
const FROM = new Date('2026-01-01T00:00:00Z');
const TO = new Date('2026-01-31T00:00:00Z');

/** An embedded warehouse with `rows` realistic events over 30 days, merged, in a directory of its own. */
export async function setStage(rows: number): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const embedded = await startEmbeddedWarehouse({
    dataDir: folder,
    port: 0,
    memory: 4_000_000_000,
    log: pino({ level: 'silent' }),
  });
  const { warehouse } = embedded;
  await migrateWarehouse(warehouse);
  const range = { from: FROM, to: TO };
  for (let offset = 0; offset < rows; offset += ROWS_PER_INSERT) {
    const portion = Math.min(ROWS_PER_INSERT, rows - offset);
    await warehouse.command(
      bulkEvents({ rows: portion, offset, seed: 1, teamId: 1, timestamps: range, arrivals: range }),
    );
  }
  // Background merges during a measurement would be charged to whoever runs then.
  await warehouse.command({
    sql: 'OPTIMIZE TABLE events FINAL',
    settings: { optimize_skip_merged_partitions: 1 },
  });
  return {
    warehouse,
    warehouseUrl: embedded.url,
    folder,
    rows,
    from: FROM,
    to: TO,
    [Symbol.asyncDispose]: async () => {
      await embedded.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
