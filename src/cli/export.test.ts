import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { eventRow, insertEvents } from '../../test/engine/fixture.ts';
import { startTestWarehouse, type TestWarehouse } from '../../test/kit/warehouse.ts';
import { systemClock } from '../work/clock.ts';
import { exportCommand } from './export.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-export-'));
let warehouse: TestWarehouse;

beforeAll(async () => {
  warehouse = await startTestWarehouse();
  for (const project of [1, 2]) {
    await insertEvents(
      warehouse.warehouse,
      project,
      Array.from({ length: 30 }, (_, n) => eventRow(n)),
    );
  }
});
afterAll(async () => {
  await warehouse.close();
  rmSync(directory, { recursive: true });
});

async function run(...more: string[]): Promise<void> {
  const silent = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation(() => true),
  );
  const open = async () => ({
    warehouse: warehouse.warehouse,
    clock: systemClock,
    close: async () => {},
  });
  try {
    const words = ['--from', '2026-03-01', '--to', '2026-03-02', '--to-dir', directory, ...more];
    await exportCommand(open).parseAsync(words, { from: 'user' });
  } finally {
    for (const one of silent) one.mockRestore();
  }
}

const OTHERS: readonly string[][] = [
  ['--format', 'JSONLines'],
  ['--compression', 'zstd'],
  ['--project', '2'],
  ['--to', '2026-03-03'],
  ['--include', '$pageview'],
  ['--exclude', '$pageview'],
  ['--max-file-size-mb', '7'],
];

it('sweeps what an earlier one like it left, and no other’s files in the making', async () => {
  await run();
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  const manifest = join(directory, names.find((name) => name.endsWith('.json')) ?? '');
  const { run_id: runId } = JSON.parse(readFileSync(manifest, 'utf8')) as { run_id: string };
  const making = join(dirname(manifest), `.events.parquet.${runId}.1.partial`);
  writeFileSync(making, '');
  for (const other of OTHERS) {
    await run(...other);
    expect(existsSync(making), other.join(' ')).toBe(true);
  }
  await run();
  expect(existsSync(making)).toBe(false);
});
