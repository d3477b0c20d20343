import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EmbeddedOptions,
  type EmbeddedWarehouse,
  startEmbeddedWarehouse,
} from '../../src/warehouse/embedded/start.ts';
import { migrateWarehouse } from '../../src/warehouse/migrate.ts';

export interface TestWarehouse extends EmbeddedWarehouse {
  readonly dataDir: string;
}

/** A real chDB child on an empty folder of its own, tables made; `close` removes the folder too. */
export async function startTestWarehouse(options: Partial<EmbeddedOptions> = {}): Promise<TestWarehouse> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sluice-warehouse-'));
  const running = await startEmbeddedWarehouse({
    port: 0,
    memory: 2_000_000_000,
    log: silent,
    ...options,
    dataDir,
  });
  await migrateWarehouse(running.warehouse);
  return {
    ...running,
    dataDir,
    close: async () => {
      await running.close();
      if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

export const silent = { info: () => {}, warn: () => {} };
