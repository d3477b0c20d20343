import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { eventRow, insertEvents } from '../../test/engine/fixture.ts';
import { printedBy } from '../../test/kit/printed.ts';
import { startTestWarehouse, type TestWarehouse } from '../../test/kit/warehouse.ts';
import { shareOf } from '../export/how-far.ts';
import type { Query, Warehouse } from '../warehouse/warehouse.ts';
import { type Clock, systemClock } from '../work/clock.ts';
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
const run = (...more: string[]): Promise<string> => runOn({}, ...more);

interface Given {
  readonly warehouse?: Warehouse;
  readonly clock?: Clock;
  readonly settleMs?: number;
  /** Resolves when somebody presses Ctrl-C. */
  readonly stopped?: () => Promise<unknown>;
}

const never = () => new Promise<never>(() => {});

async function runOn({ stopped = never, ...room }: Given, ...more: string[]): Promise<string> {
  const open = async () => ({
    warehouse: warehouse.warehouse,
    clock: systemClock,
    settleMs: 0,
    refuseUnknownProject: async () => {},
    ...room,
    close: async () => {},
  });
  const words = ['--from', '2026-03-01', '--to', '2026-03-02', '--to-dir', directory, ...more];
  const command = exportCommand(open, stopped).exitOverride();
  return await printedBy(() => command.parseAsync(words, { from: 'user' }));
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

it('its queries are among those that tell how far it is', async () => {
  const asked = vi.spyOn(warehouse.warehouse, 'command');
  await run('--to-dir', join(directory, 'followed'));
  const writing = asked.mock.calls.flatMap(([{ sql, queryId }]) => (/file\(/.test(sql) ? [queryId] : []));
  asked.mockRestore();
  expect(writing.map((id = '') => shareOf(id))).toEqual([1]);
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

it('both bounds may name their zone', async () => {
  const into = join(directory, 'zoned');
  const bounds = ['--from', '2026-03-01T00:00[Europe/Berlin]', '--to', '2026-03-02[Europe/Berlin]'];
  await run('--to-dir', into, ...bounds);
  expect(namesIn(into)).toContainEqual(
    expect.stringContaining('2026-02-28T23:00:00+00:00-2026-03-01T23:00:00+00:00'),
  );
});

it('takes several names', async () => {
  const some = await run('--to-dir', join(directory, 'some'), '--include', '$pageview', 'clicked');
  expect(some).toContain('28 rows, ');
});

/** The warehouse, in which `happen` happens after each query whose text `after` finds. */
function whenAsked(after: RegExp, happen: (query: Query) => Promise<unknown>): Warehouse {
  const { warehouse: real } = warehouse;
  return new Proxy(real, {
    get: (target, name) => {
      if (name !== 'rows') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
      return async (query: Query) => {
        const rows = await real.rows(query);
        if (after.test(query.sql)) await happen(query);
        return rows;
      };
    },
  });
}

const captured = (from: number, arrivedAt: number) =>
  Array.from({ length: 5 }, (_, n) => eventRow(from + n, { inserted_at: arrivedAt * 1000 }));

it('beside a server that captures: what arrives after the command was given is left for the next one, and told', async () => {
  const into = join(directory, 'capturing');
  let next = 1000;
  const capturing = whenAsked(/uniq|count\(\)/i, () => {
    next += 5;
    return insertEvents(warehouse.warehouse, 3, captured(next, Date.now() + 1));
  });
  await insertEvents(warehouse.warehouse, 3, captured(1000, Date.now() - 60_000));
  const printed = await runOn({ warehouse: capturing }, '--to-dir', into, '--project', '3');
  expect(printed).toContain('5 rows, ');
  expect(printed).toMatch(
    /Not in the files: \d+ events of this range that arrived after .* The same command again/,
  );
});

it('waits for what had only just arrived, as long as other rows may still appear beside it', async () => {
  let now = Date.now();
  const slept: number[] = [];
  const sleep: Clock['sleep'] = async (ms, signal) => {
    // Looks at how far the files are.
    if (ms < 1000) return systemClock.sleep(ms, signal);
    slept.push(ms);
    now += ms;
  };
  const clock = { now: () => now, sleep };
  await insertEvents(warehouse.warehouse, 4, captured(2000, now - 1000));
  const into = ['--to-dir', join(directory, 'settling'), '--project', '4'];
  const first = await runOn({ clock, settleMs: 2500 }, ...into);
  expect(first).toContain('5 rows, ');
  expect(first).not.toContain('Not in the files');
  expect(slept).toEqual([1000, 1000]);
  const waited = slept.length;
  // Of another range, nothing has just arrived.
  await runOn({ clock, settleMs: 60_000 }, '--to-dir', join(directory, 'settled'), '--project', '2');
  expect(slept).toHaveLength(waited);
});

it('says what to do when the source changes all the same', async () => {
  let next = 3000;
  // Others each time: the engine merges what is the same.
  const late = whenAsked(/uniq|count\(\)/i, () => {
    next += 5;
    return insertEvents(warehouse.warehouse, 5, captured(next, Date.now() - 60_000));
  });
  await insertEvents(warehouse.warehouse, 5, captured(3000, Date.now() - 60_000));
  const failing = runOn({ warehouse: late }, '--to-dir', join(directory, 'late'), '--project', '5');
  await expect(failing).rejects.toMatchObject({
    code: 'verification_failed',
    message: expect.stringMatching(/counted .* This was the only attempt: run the command again\.$/),
  });
});

/** What it printed and its exit status, when it is stopped as soon as the warehouse is about to do something that `now` picks. */
async function stoppedOnce(now: (method: string) => boolean, ...words: string[]) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stopping = new Proxy(warehouse.warehouse, {
    get: (target, name: keyof Warehouse) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return async (...given: unknown[]) => {
        if (now(name)) resolve();
        return Reflect.apply(value, target, given);
      };
    },
  });
  const before = process.exitCode;
  process.exitCode = undefined;
  try {
    const printed = await runOn({ warehouse: stopping, stopped: () => promise }, ...words);
    return { printed, status: process.exitCode };
  } finally {
    process.exitCode = before;
  }
}

it('stopped, says what is left and ends with status 130', async () => {
  const into = join(directory, 'stopped');
  const visible = () => namesIn(into).filter((name) => /^[^.].*\.(parquet|json)$/.test(name));
  const words = ['--to-dir', into, '--project', '1'];
  expect(await stoppedOnce(() => true, ...words)).toEqual({
    printed: 'Stopped; nothing was written.\n',
    status: 130,
  });
  const writing = (method: string) => method === 'command';
  expect(await stoppedOnce(writing, ...words)).toEqual({
    printed: 'Stopped; nothing was left behind.\n',
    status: 130,
  });
  expect(namesIn(into)).toEqual([]);

  await run(...words);
  const there = namesIn(into);
  const { printed, status } = await stoppedOnce(writing, ...words);
  expect(printed).toMatch(/^Stopped. Files of the export before are still there, .*\n$/);
  expect(status).toBe(130);
  expect(namesIn(into)).toEqual(there);

  rmSync(into, { recursive: true });
  const complete = await stoppedOnce(
    (method) =>
      method === 'rows' && existsSync(into) && visible().some((name) => name.endsWith('_manifest.json')),
    ...words,
  );
  expect(complete.printed).toContain('28 rows, ');
  expect(complete.status).toBeUndefined();
});
