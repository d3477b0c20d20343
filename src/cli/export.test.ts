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

/** Resolves with what it printed. */
async function run(...more: string[]): Promise<string> {
  let printed = '';
  const silent = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      printed += String(text);
      return true;
    }),
  );
  const open = async () => ({
    warehouse: warehouse.warehouse,
    clock: systemClock,
    refuseUnknownProject: async () => {},
    close: async () => {},
  });
  try {
    const words = ['--from', '2026-03-01', '--to', '2026-03-02', '--to-dir', directory, ...more];
    await exportCommand(open).exitOverride().parseAsync(words, { from: 'user' });
  } finally {
    for (const one of silent) one.mockRestore();
  }
  return printed;
}

const namesIn = (path: string) => readdirSync(path, { recursive: true, encoding: 'utf8' }).toSorted();

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
  const names = namesIn(directory);
  const manifest = join(directory, names.find((name) => name.endsWith('.json')) ?? '');
  const { run_id: runId } = JSON.parse(readFileSync(manifest, 'utf8')) as { run_id: string };
  const making = join(dirname(manifest), `.events.parquet.${runId}.1.partial`);
  writeFileSync(making, '');
  for (const other of OTHERS) {
    await run('--replace', ...other);
    expect(existsSync(making), other.join(' ')).toBe(true);
  }
  await run('--replace');
  expect(existsSync(making)).toBe(false);
});

it('another’s export of the range is left as it is, and replaced when asked to', async () => {
  const into = join(directory, 'used');
  await run('--to-dir', into);
  const first = namesIn(into);
  const written = first.map((name) => readFileSync(join(into, name)));
  for (const other of OTHERS.filter((words) => words[0] !== '--to')) {
    await expect(run('--to-dir', into, ...other), other.join(' ')).rejects.toMatchObject({
      code: 'bad_configuration',
      message: expect.stringContaining('--replace'),
    });
  }
  expect(namesIn(into)).toEqual(first);
  expect(first.map((name) => readFileSync(join(into, name)))).toEqual(written);

  await run('--to-dir', into, '--format', 'JSONLines', '--replace');
  expect(namesIn(into).map((name) => name.replace(/.*00:00/, ''))).toEqual(['.jsonl', '_manifest.json']);
  await run('--to-dir', into, '--format', 'JSONLines');
  expect(namesIn(into)).toHaveLength(2);
});

it('says of which events there are none', async () => {
  expect(await run('--to-dir', join(directory, 'none'), '--include', 'nope')).toContain(
    'No events of these names in this range',
  );
  const empty = ['--from', '2020-01-01', '--to', '2020-01-02', '--to-dir', join(directory, 'none')];
  expect(await run(...empty)).toContain('No events in this range');
});

it.each(['--to-dir', '--include', '--exclude'])('refuses an empty %s', async (option) => {
  await expect(run(option, '')).rejects.toMatchObject({ code: 'commander.invalidArgument' });
});

it('takes several names', async () => {
  const some = await run('--to-dir', join(directory, 'some'), '--include', '$pageview', 'clicked');
  expect(some).toContain('28 rows, ');
});
