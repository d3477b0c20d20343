import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { bulkEvents } from '../../src/demo/bulk.ts';
import { SluiceError } from '../../src/errors/error.ts';
import type { FileTarget } from '../../src/export/destinations/destination.ts';
import type { FileOptions } from '../../src/export/spec.ts';
import { STEPS } from '../../src/export/steps.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import {
  altered,
  exportWith,
  HOUR,
  liveSpec,
  type MemoryLedger,
  memoryLedger,
  openPlace,
  PLAIN_FILES,
  type Place,
  REPEATED,
  recorder,
  repeating,
  START,
  STOPPED,
} from './fixture.ts';

const ROWS = 4_000;
const TEAM = 7;
/** Has so many events that the memory of the warehouse matters. */
const LARGE = { rows: 15_000, teamId: 8 } as const;
const PARQUET = { ...PLAIN_FILES, format: 'Parquet', compression: 'zstd' } as const;
/** Several files, of a quarter of a MiB at most. */
const SPLIT = { ...PARQUET, maxFileSizeMb: 0.25 } as const;
const NAME = '2026-03-01T00:00:00+00:00-2026-03-01T01:00:00+00:00';

let embedded: TestWarehouse;
let place: Place;
let uuids: string[];
let uuidsOfLarge: string[];
beforeAll(async () => {
  embedded = await startTestWarehouse();
  const hour = { from: new Date(START), to: new Date(START + HOUR) };
  const made = async (rows: number, teamId: number): Promise<string[]> => {
    await embedded.warehouse.command(bulkEvents({ rows, seed: 1, teamId, timestamps: hour, arrivals: hour }));
    const found = await embedded.warehouse.rows<{ uuid: string }>({
      sql: `SELECT uuid FROM events WHERE team_id = ${teamId} ORDER BY toString(uuid)`,
    });
    return found.map(({ uuid }) => uuid);
  };
  uuids = await made(ROWS, TEAM);
  uuidsOfLarge = await made(LARGE.rows, LARGE.teamId);
});
afterAll(() => embedded.close());
beforeEach(async () => {
  place = await openPlace();
});
afterEach(() => place.remove());

const filesIn = (directory: string) =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' }).toSorted();
const readUuids = async () => (await readEvents(place.root)).map(({ uuid }) => uuid);

describe('a run', () => {
  it('takes its steps in order and tells them', async () => {
    const observer = recorder();
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), PARQUET, { observer });
    expect(observer.steps).toEqual([...STEPS]);
    expect(observer.logs.map(({ level }) => level)).toEqual(observer.logs.map(() => 'INFO'));
  });

  it('writes a manifest that lists the files and holds the proof', async () => {
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT);
    const manifest = JSON.parse(readFileSync(join(place.root, `${NAME}_manifest.json`), 'utf8')) as Record<
      string,
      unknown
    >;
    expect(outcome.files.length).toBeGreaterThan(2);
    expect(manifest).toMatchObject({
      files: outcome.files.map(({ key }) => key),
      rows: ROWS,
      bytes: outcome.bytes,
      model: 'events',
      format: 'Parquet',
      compression: 'zstd',
      proof: { source: outcome.proof.source, reread: outcome.proof.reread },
    });
    expect(filesIn(place.root)).toEqual(
      [...(manifest.files as string[]), `${NAME}_manifest.json`].toSorted(),
    );
  });

  it('splits files at the size limit and none is empty', async () => {
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT);
    for (const file of outcome.files) {
      expect(file.bytes).toBeLessThanOrEqual(256 * 1024);
      expect(file.rows).toBeGreaterThan(0);
      expect(file.key).toMatch(new RegExp(`^${NAME.replaceAll('+', '\\+')}-\\d+\\.parquet$`));
    }
    expect(await readUuids()).toEqual(uuids);
  });

  it('contacts nothing and removes what it replaces when there is nothing to export', async () => {
    const empty = liveSpec(TEAM, {
      region: { arrivalFrom: 0, arrivalTo: 1, eventFrom: null, eventTo: null },
    });
    const untouchable = new Proxy({} as FileTarget, {
      get: (_, name) => {
        throw new Error(`The target was asked for ${String(name)}.`);
      },
    });
    const outcome = await exportWith(embedded.warehouse, { ...place, target: untouchable }, empty, PARQUET);
    expect(outcome).toMatchObject({
      rows: 0,
      files: [],
      proof: { source: { rows: 0 }, reread: { rows: 0 } },
    });
    expect(readdirSync(place.root)).toEqual([]);

    const first = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT);
    const ledger = memoryLedger(first.files.map(({ key }) => key));
    await exportWith(embedded.warehouse, place, empty, SPLIT, { ledger });
    expect(filesIn(place.root)).toEqual([]);
  });

  it('replaces the files of the run it repeats, whatever their number', async () => {
    const first = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT);
    const ledger = memoryLedger(first.files.map(({ key }) => key));
    const again = await exportWith(
      embedded.warehouse,
      place,
      liveSpec(TEAM),
      { ...SPLIT, maxFileSizeMb: 0.75 },
      { ledger },
    );
    expect(again.files.length).toBeLessThan(first.files.length);
    expect(filesIn(place.root)).toEqual(
      [...again.files.map(({ key }) => key), `${NAME}_manifest.json`].toSorted(),
    );
    expect(await readUuids()).toEqual(uuids);
  });

  it('leaves a manifest alone that neither it nor the run it repeats has written', async () => {
    const elsewhere = liveSpec(TEAM, { destination: { type: 'AwsS3', config: {}, integration: {} } });
    const first = memoryLedger();
    await exportWith(embedded.warehouse, place, elsewhere, PARQUET, { ledger: first });
    const other = join(place.root, `${NAME}_manifest.json`);
    writeFileSync(other, 'of another export');
    const cancel = new AbortController();
    const observer = recorder((name) => {
      if (name === 'published') cancel.abort(new SluiceError('run_cancelled'));
    });
    const stopped = { observer, signal: cancel.signal };
    const again = exportWith(embedded.warehouse, place, elsewhere, PLAIN_FILES, stopped);
    await expect(again).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(filesIn(place.root)).toEqual([`${NAME}.parquet`, `${NAME}_manifest.json`]);
    const ledger = repeating(first, false);
    await exportWith(embedded.warehouse, place, elsewhere, PLAIN_FILES, { ledger });
    expect(filesIn(place.root)).toEqual([`${NAME}.jsonl`, `${NAME}_manifest.json`]);
    expect(readFileSync(other, 'utf8')).toBe('of another export');
  });

  it('halves slices that do not fit into the memory of the warehouse', async () => {
    const tight: Warehouse = limited(embedded.warehouse, 38_000_000);
    const observer = recorder();
    const outcome = await exportWith(tight, place, liveSpec(LARGE.teamId), PLAIN_FILES, { observer });
    expect(observer.logs.some(({ level }) => level === 'WARNING')).toBe(true);
    expect(outcome.files.length).toBeGreaterThan(1);
    expect(await readUuids()).toEqual(uuidsOfLarge);
  });

  it('refuses what it cannot do rather than export something else', async () => {
    const persons = liveSpec(TEAM, { model: 'persons' });
    await expect(exportWith(embedded.warehouse, place, persons, PARQUET)).rejects.toMatchObject({
      code: 'model_not_available',
    });
  });
});

describe('an attempt that ended early', () => {
  it.each(STEPS)('at %s is finished by the next, with the same files and nothing left over', async (step) => {
    const ledger = memoryLedger();
    const crash = recorder((name) => {
      if (name === step) throw new Error('crash');
    });
    const first = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger, observer: crash });
    await expect(first).rejects.toThrow('crash');
    const kept = ledger.kept.size;
    const observer = recorder();
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, {
      ledger,
      observer,
      attempt: 2,
    });
    const staged = observer.steps.filter((name) => name === 'slice-staged').length;
    expect(staged).toBe(outcome.files.length - kept);
    expect(await readUuids()).toEqual(uuids);
    expect(filesIn(place.root)).toEqual(
      [...outcome.files.map(({ key }) => key), `${NAME}_manifest.json`].toSorted(),
    );
  });

  it('is finished even when the size limit changed in between', async () => {
    const ledger = memoryLedger();
    let recorded = 0;
    const crash = recorder((name) => {
      if (name === 'slice-recorded' && ++recorded === 3) throw new Error('crash');
    });
    const first = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger, observer: crash });
    await expect(first).rejects.toThrow('crash');
    await exportWith(
      embedded.warehouse,
      place,
      liveSpec(TEAM),
      { ...SPLIT, maxFileSizeMb: 50 },
      { ledger, attempt: 2 },
    );
    expect(await readUuids()).toEqual(uuids);
  });

  it('does not count on staged files that are gone', async () => {
    const ledger = memoryLedger();
    const crash = recorder((name) => {
      if (name === 'publishing') throw new Error('crash');
    });
    const first = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger, observer: crash });
    await expect(first).rejects.toThrow('crash');
    const [lost] = ledger.kept.values();
    await place.target.discard((lost as NonNullable<typeof lost>).staged);
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger, attempt: 2 });
    expect(await readUuids()).toEqual(uuids);
  });
});

it.each([
  ['a bug', new Error('a bug')],
  ['a query of ours that is refused', new SluiceError('warehouse_query')],
])('an attempt that fails of %s leaves no file that nobody knows: it may be the last', async (_, error) => {
  const observer = recorder((name) => {
    if (name === 'slice-staged') throw error;
  });
  const run = exportWith(embedded.warehouse, place, liveSpec(TEAM), PARQUET, { observer });
  await expect(run).rejects.toBe(error);
  expect(filesIn(place.root)).toEqual([]);
});

describe('a cancelled run', () => {
  it.each(['planned', 'slice-started', 'slice-recorded', 'publishing', 'published-one', 'verified'] as const)(
    'at %s leaves nothing behind',
    async (step) => {
      const cancel = new AbortController();
      const observer = recorder((name) => {
        if (name === step) cancel.abort(new SluiceError('run_cancelled'));
      });
      const run = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, {
        observer,
        signal: cancel.signal,
      });
      await expect(run).rejects.toMatchObject({ code: 'run_cancelled' });
      expect(filesIn(place.root)).toEqual([]);
      // What was read alone is killed without waiting for its end.
      await vi.waitFor(async () => expect(await running()).toEqual([]), { timeout: 10_000 });
    },
  );

  it('keeps what an earlier run of the interval had delivered', async () => {
    const before = await exportWith(embedded.warehouse, place, liveSpec(TEAM), PARQUET);
    const cancel = new AbortController();
    const observer = recorder((name) => {
      if (name === 'published') cancel.abort(new SluiceError('run_cancelled'));
    });
    const ledger = memoryLedger(before.files.map(({ key }) => key));
    const again = exportWith(embedded.warehouse, place, liveSpec(TEAM), PARQUET, {
      observer,
      ledger,
      signal: cancel.signal,
    });
    await expect(again).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(await readUuids()).toEqual(uuids);
  });

  it('cancelled while it publishes over an earlier one’s files, leaves every event there once', async () => {
    const first = memoryLedger();
    const before = await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger: first });
    expect(before.files.length).toBeGreaterThan(2);
    // Fewer files would do, now.
    const larger = { ...SPLIT, maxFileSizeMb: 0.5 };
    const cancel = new AbortController();
    const observer = recorder((name) => {
      if (name === 'published-one') cancel.abort(new SluiceError('run_cancelled'));
    });
    const again = exportWith(embedded.warehouse, place, liveSpec(TEAM), larger, {
      observer,
      ledger: repeating(first),
      signal: cancel.signal,
    });
    await expect(again).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(await readUuids()).toEqual(uuids);

    const whole = await exportWith(embedded.warehouse, place, liveSpec(TEAM), larger, {
      ledger: repeating(first),
    });
    expect(whole.files.map(({ key }) => key)).toEqual(before.files.map(({ key }) => key));
    expect(await readUuids()).toEqual(uuids);
  });

  it('takes the manifest of the run it replaces away, too, where the prefix was another', async () => {
    const first = memoryLedger();
    await exportWith(
      embedded.warehouse,
      place,
      liveSpec(TEAM, { runId: REPEATED }),
      { ...SPLIT, prefix: 'old' },
      { ledger: first },
    );
    expect(filesIn(place.root)).toContain(`old/${NAME}_manifest.json`);
    const moved = { ...SPLIT, prefix: 'new' };
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), moved, { ledger: repeating(first) });
    expect(filesIn(place.root).filter((name) => name.startsWith('old/'))).toEqual([]);
    expect(filesIn(place.root)).toContain(`new/${NAME}_manifest.json`);
    expect(await readUuids()).toEqual(uuids);
  });

  it('leaves a manifest alone that another export has written meanwhile', async () => {
    const other = `${NAME}_manifest.json`;
    writeFileSync(join(place.root, other), '{"run_id":"of another export"}');
    const cancel = new AbortController();
    const observer = recorder((name) => {
      if (name === 'published') cancel.abort(new SluiceError('run_cancelled'));
    });
    const run = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, {
      observer,
      signal: cancel.signal,
    });
    await expect(run).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(filesIn(place.root)).toEqual([other]);
  });

  it('takes its manifest with it when what an earlier run left lies elsewhere', async () => {
    const first = memoryLedger();
    await exportWith(
      embedded.warehouse,
      place,
      liveSpec(TEAM),
      { ...PARQUET, prefix: 'old' },
      { ledger: first },
    );
    const before = filesIn(place.root);
    // It is no predecessor: a run that repeats nothing ends after one that repeats it.
    const ledger = { ...repeating(first), replaced: async () => [] };
    const commit = async () => {
      throw new SluiceError('run_cancelled');
    };
    const moved = { ...PARQUET, prefix: 'new' };
    const again = exportWith(embedded.warehouse, place, liveSpec(TEAM), moved, { ledger, commit });
    await expect(again).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(filesIn(place.root)).toEqual([...before, 'new'].toSorted());
  });

  it('that cannot remove what it replaces fails, and leaves its own files there', async () => {
    const first = memoryLedger();
    const old = { ...PARQUET, prefix: 'old' };
    await exportWith(embedded.warehouse, place, liveSpec(TEAM, { runId: REPEATED }), old, { ledger: first });
    let removed = 0;
    const remove: FileTarget['remove'] = async (key) => {
      if (++removed > 1) throw new SluiceError('destination_denied');
      await place.target.remove(key);
    };
    const ledger = repeating(first);
    const moved = { ...PARQUET, prefix: 'new' };
    const denied = exportWith(
      embedded.warehouse,
      { ...place, target: { ...place.target, remove } },
      liveSpec(TEAM),
      moved,
      { ledger },
    );
    await expect(denied).rejects.toMatchObject({ code: 'destination_denied' });
    expect(filesIn(place.root)).toContain(`new/${NAME}.parquet`);
    expect(filesIn(place.root)).toContain(`new/${NAME}_manifest.json`);
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), moved, { ledger: repeating(first) });
    expect(await readUuids()).toEqual(uuids);
  });

  it('touches nothing when another worker has taken over', async () => {
    const lost = new AbortController();
    const ledger = memoryLedger();
    const observer = recorder((name) => {
      if (name === 'publishing') lost.abort(new SluiceError('run_superseded'));
    });
    const run = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, {
      observer,
      ledger,
      signal: lost.signal,
    });
    await expect(run).rejects.toMatchObject({ code: 'run_superseded' });
    for (const { staged } of ledger.kept.values()) expect(await place.target.isStaged(staged)).toBe(true);
  });

  it.each([
    ['publishes nothing', 'slice-recorded', []],
    ['writes no manifest', 'verified', ['published']],
  ])('%s once another worker has taken over, though nobody has told it', async (_, step, done) => {
    let overtaken = false;
    const observer = recorder((name) => {
      overtaken ||= name === step;
    });
    const assertOwned = async () => {
      if (overtaken) throw new SluiceError('run_superseded');
    };
    const ports = { observer, ledger: { ...memoryLedger(), assertOwned } };
    const run = exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, ports);
    await expect(run).rejects.toMatchObject({ code: 'run_superseded' });
    expect(observer.steps.filter((name) => name === 'published' || name === 'manifest-written')).toEqual(
      done,
    );
  });
});

it('a file that is taken away the moment it appears was delivered, when its store has confirmed it', async () => {
  const takenAway: FileTarget = {
    ...place.target,
    publish: async (staged, signal) => {
      const published = await place.target.publish(staged, signal);
      await place.target.remove(published.key);
      return { ...published, confirmed: true };
    },
  };
  const outcome = await exportWith(
    embedded.warehouse,
    { ...place, target: takenAway },
    liveSpec(TEAM),
    PARQUET,
  );
  expect(outcome).toMatchObject({ rows: ROWS, proof: { reread: { rows: ROWS } } });
});

it('a run whose files are verified does not fail when nobody can tell what earlier attempts left', async () => {
  const sweep = async () => {
    throw new SluiceError('destination_unavailable', { detail: 'Listing failed 5 times.' });
  };
  const target = { ...place.target, sweep };
  const observer = recorder();
  const run = exportWith(embedded.warehouse, { ...place, target }, liveSpec(TEAM), PARQUET, { observer });
  await expect(run).resolves.toMatchObject({ rows: ROWS });
  expect(observer.logs.filter(({ level }) => level === 'WARNING')).toMatchObject([
    { message: expect.stringContaining('Listing failed 5 times.') },
  ]);
});

it('a second attempt does not fail for good where the listing of uploads comes to no end', async () => {
  let sweeps = 0;
  const sweep = async () => {
    sweeps++;
    throw new SluiceError('destination_config', { detail: 'Listing came to no end.' });
  };
  const target = { ...place.target, sweep };
  const observer = recorder();
  const how = { observer, attempt: 2 };
  const run = exportWith(embedded.warehouse, { ...place, target }, liveSpec(TEAM), PARQUET, how);
  await expect(run).resolves.toMatchObject({ rows: ROWS });
  expect(sweeps).toBe(2);
  const warnings = observer.logs.filter(({ level }) => level === 'WARNING');
  expect(warnings).toMatchObject(
    Array.from({ length: 2 }, () => ({ message: expect.stringContaining('Listing came to no end.') })),
  );
});

describe('a run that repeats another one', () => {
  const first = liveSpec(TEAM, { runId: REPEATED });
  const other = liveSpec(TEAM, { runId: '00000000-0000-4000-8000-0000000000ee' });
  const repeat = async (ledger: MemoryLedger, prefix: string) => {
    const observer = recorder();
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), { ...PARQUET, prefix }, { ledger, observer });
    return observer.logs.filter(({ level }) => level === 'WARNING').map(({ message }) => message);
  };

  it('leaves alone what another export has written under the older keys since', async () => {
    const ledger = memoryLedger();
    const old = { ...PARQUET, prefix: 'events' };
    await exportWith(embedded.warehouse, place, first, old, { ledger });
    await exportWith(embedded.warehouse, place, other, old);
    const warnings = await repeat(repeating(ledger), 'raw');
    const kept = [`events/${NAME}.parquet`, `events/${NAME}_manifest.json`];
    expect(filesIn(place.root)).toEqual(
      ['events', ...kept, 'raw', `raw/${NAME}.parquet`, `raw/${NAME}_manifest.json`].toSorted(),
    );
    expect(warnings).toEqual([
      `Not removed, because it may be another export's by now: ${kept[1]}, ${kept[0]}.`,
    ]);
  });

  it('leaves a file alone of which the ledger keeps no receipt', async () => {
    const ledger = memoryLedger();
    await exportWith(embedded.warehouse, place, first, { ...PARQUET, prefix: 'events' }, { ledger });
    const unproven = async () => ({ runIds: [REPEATED], receipts: [] });
    const warnings = await repeat({ ...repeating(ledger), marks: unproven }, 'raw');
    expect(filesIn(join(place.root, 'events'))).toEqual([`${NAME}.parquet`]);
    expect(warnings).toHaveLength(1);
  });

  describe('over whose files another one has published that came to no end', () => {
    const old = { ...PARQUET, prefix: 'old' };
    /** The first run, and a repetition that publishes over its files and then ends like this. */
    const stoppedBy = async (error: SluiceError): Promise<[MemoryLedger, MemoryLedger]> => {
      const ledger = memoryLedger();
      await exportWith(embedded.warehouse, place, first, old, { ledger });
      const stopped = repeating(ledger);
      const stop = new AbortController();
      const observer = recorder((name) => {
        if (name === 'published') stop.abort(error);
      });
      const ports = { ledger: stopped, observer, signal: stop.signal };
      const spec = liveSpec(TEAM, { runId: STOPPED });
      await expect(exportWith(embedded.warehouse, place, spec, old, ports)).rejects.toBe(error);
      expect(await readUuids()).toEqual(uuids);
      return [ledger, stopped];
    };

    it('takes those files away, too, when it writes elsewhere', async () => {
      const [ledger, stopped] = await stoppedBy(new SluiceError('run_cancelled'));
      expect(await repeat(repeating(ledger, true, [stopped]), 'new')).toEqual([]);
      expect(filesIn(join(place.root, 'old'))).toEqual([]);
      expect(await readUuids()).toEqual(uuids);
    });

    it('takes them away in a later attempt that finds no rows any more', async () => {
      const [, ledger] = await stoppedBy(new SluiceError('run_superseded'));
      const observer = recorder();
      const spec = liveSpec(TEAM, { runId: STOPPED, includeEvents: ['no such event'] });
      await exportWith(embedded.warehouse, place, spec, old, { ledger, observer, attempt: 2 });
      expect(filesIn(join(place.root, 'old'))).toEqual([]);
      expect(observer.logs.filter(({ level }) => level === 'WARNING')).toEqual([]);
    });

    it('keeps its receipts when it must start afresh, and goes on with none of their files', async () => {
      const [ledger, stopped] = await stoppedBy(new SluiceError('verification_failed'));
      expect([...stopped.kept.values()]).toMatchObject([{ withdrawn: true }]);
      const observer = recorder();
      const spec = liveSpec(TEAM, { runId: STOPPED });
      await exportWith(embedded.warehouse, place, spec, old, { ledger: stopped, observer, attempt: 2 });
      expect(observer.steps).toContain('slice-staged');
      expect([...stopped.kept.values()]).toMatchObject([{ staged: expect.anything() }]);
      expect([...stopped.kept.values()][0]?.withdrawn).toBeUndefined();
      expect(await repeat(repeating(ledger, true, [stopped]), 'new')).toEqual([]);
      expect(await readUuids()).toEqual(uuids);
    });
  });

  it.each([
    ['another folder', { prefix: 'new' }],
    ['another format, in the same folder', { format: 'JSONLines', compression: null }],
  ])('into %s takes its files away after a restore that kept whole seconds only', async (_, change) => {
    const ledger = memoryLedger();
    const old = { ...PARQUET, prefix: 'old' };
    await exportWith(embedded.warehouse, place, first, old, { ledger });
    const file = join(place.root, 'old', `${NAME}.parquet`);
    utimesSync(file, START / 1000, START / 1000);
    const observer = recorder();
    const ports = { ledger: repeating(ledger), observer };
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), { ...old, ...change } as FileOptions, ports);
    expect(existsSync(file)).toBe(false);
    expect(observer.logs.filter(({ level }) => level === 'WARNING')).toEqual([]);
  });

  it('leaves a file of another size alone, though the manifest lists it', async () => {
    const ledger = memoryLedger();
    await exportWith(embedded.warehouse, place, first, { ...PARQUET, prefix: 'old' }, { ledger });
    const file = join(place.root, 'old', `${NAME}.parquet`);
    writeFileSync(file, 'of another export, which has yet to write its manifest');
    expect(await repeat(repeating(ledger), 'new')).toHaveLength(1);
    expect(existsSync(file)).toBe(true);
  });

  it('tells of an older manifest that it may not read, and leaves it', async () => {
    const ledger = memoryLedger();
    await exportWith(embedded.warehouse, place, first, { ...SPLIT, prefix: 'old' }, { ledger });
    const older = `old/${NAME}_manifest.json`;
    const get: FileTarget['get'] = async (key) => (key === older ? 'forbidden' : place.target.get(key));
    const target = { ...place.target, get };
    const observer = recorder();
    const ports = { ledger: repeating(ledger), observer };
    const moved = { ...SPLIT, prefix: 'new' };
    await exportWith(embedded.warehouse, { ...place, target }, liveSpec(TEAM), moved, ports);
    expect(filesIn(join(place.root, 'old'))).toEqual([`${NAME}_manifest.json`]);
    expect(observer.logs.filter(({ level }) => level === 'WARNING')).toMatchObject([
      { message: expect.stringContaining(older) },
    ]);
  });

  it('says nothing of files that are gone', async () => {
    const ledger = memoryLedger();
    await exportWith(embedded.warehouse, place, first, { ...PARQUET, prefix: 'events' }, { ledger });
    rmSync(join(place.root, 'events'), { recursive: true });
    expect(await repeat(repeating(ledger), 'raw')).toEqual([]);
  });

  it.each([
    ['a//b', 'a/b', 'a/b'],
    ['//data', 'data', 'data'],
    ['link', 'data', 'data'],
    ['data', 'link', 'data'],
  ])(
    'into the same place by another name (%s, then %s) has its files there',
    async (before, after, folder) => {
      mkdirSync(join(place.root, 'data'));
      symlinkSync('data', join(place.root, 'link'));
      const ledger = memoryLedger();
      await exportWith(embedded.warehouse, place, first, { ...PARQUET, prefix: before }, { ledger });
      expect(await repeat(repeating(ledger), after)).toEqual([]);
      expect(filesIn(join(place.root, folder))).toEqual([`${NAME}.parquet`, `${NAME}_manifest.json`]);
      const { run_id: runId } = JSON.parse(
        readFileSync(join(place.root, folder, `${NAME}_manifest.json`), 'utf8'),
      ) as { run_id: string };
      expect(runId).toBe(liveSpec(TEAM).runId);
    },
  );

  it('into the same place by another name, cancelled, leaves the file there', async () => {
    const ledger = memoryLedger();
    await exportWith(embedded.warehouse, place, first, { ...PARQUET, prefix: 'a//b' }, { ledger });
    const commit = async () => {
      throw new SluiceError('run_cancelled');
    };
    const again = exportWith(
      embedded.warehouse,
      place,
      liveSpec(TEAM),
      { ...PARQUET, prefix: 'a/b' },
      { ledger: repeating(ledger), commit },
    );
    await expect(again).rejects.toMatchObject({ code: 'run_cancelled' });
    expect(await readUuids()).toEqual(uuids);
  });
});

describe('a destination that lies', () => {
  it('is found out, and the next attempt starts afresh', async () => {
    const ledger = memoryLedger();
    const liar: FileTarget = {
      ...place.target,
      open: async (published) => {
        const file = await place.target.open(published);
        const half = Math.floor(file.bytes / 2);
        return {
          ...file,
          path: null,
          read: (start, end) => file.read(Math.min(start, half), Math.min(end, half)),
        };
      },
    };
    const run = exportWith(embedded.warehouse, { ...place, target: liar }, liveSpec(TEAM), PARQUET, {
      ledger,
      readBack: true,
    });
    await expect(run).rejects.toMatchObject({ code: 'verification_failed' });
    expect(ledger.kept.size).toBe(0);
    expect(existsSync(join(place.root, `${NAME}_manifest.json`))).toBe(false);
    expect(filesIn(place.root)).toEqual([]);
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), PARQUET, { ledger, attempt: 2 });
    expect(await readUuids()).toEqual(uuids);
  });

  /** What is read back lacks its second half. */
  const lying = (change: Partial<FileTarget> = {}): FileTarget => ({
    ...place.target,
    open: async (published) => {
      const file = await place.target.open(published);
      return { ...file, path: null, read: (start) => file.read(start, start) };
    },
    ...change,
  });
  const expectManifestTrue = () => {
    const { files } = JSON.parse(readFileSync(join(place.root, `${NAME}_manifest.json`), 'utf8')) as {
      files: string[];
    };
    expect(files).toEqual(filesIn(place.root).filter((name) => !name.endsWith('_manifest.json')));
  };

  it('an attempt that stands still while it takes back leaves alone what a newer one delivered', async () => {
    const ledger = memoryLedger();
    let owner = 1;
    const fenced = (attempt: number): MemoryLedger => ({
      ...ledger,
      withdraw: async () => {
        if (owner !== attempt) throw new SluiceError('run_superseded');
        return ledger.withdraw();
      },
    });
    const [stands, goesOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const discard: FileTarget['discard'] = async (staged) => {
      stands.resolve();
      await goesOn.promise;
      await place.target.discard(staged);
    };
    const older = exportWith(
      embedded.warehouse,
      { ...place, target: lying({ discard }) },
      liveSpec(TEAM),
      SPLIT,
      {
        ledger: fenced(1),
        readBack: true,
      },
    ).catch((error: unknown) => error);
    await stands.promise;
    owner = 2;
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger: fenced(2), attempt: 2 });
    const delivered = filesIn(place.root);
    goesOn.resolve();
    const outcome = await older;
    expect(filesIn(place.root)).toEqual(delivered);
    expect(outcome).toMatchObject({ code: 'run_superseded' });
    expectManifestTrue();
    expect(await readUuids()).toEqual(uuids);
  });

  it('an attempt that cannot take everything back leaves the rest to the next, which starts afresh', async () => {
    const ledger = memoryLedger();
    let refused = 0;
    const remove: FileTarget['remove'] = async (key) => {
      if (key.endsWith('_manifest.json') || refused++ > 0) return place.target.remove(key);
      throw new SluiceError('destination_unavailable');
    };
    const older = exportWith(
      embedded.warehouse,
      { ...place, target: lying({ remove }) },
      liveSpec(TEAM),
      SPLIT,
      { ledger, readBack: true },
    );
    await expect(older).rejects.toMatchObject({ code: 'verification_failed' });
    expect([...ledger.kept.values()].map(({ withdrawn }) => withdrawn)).toContain(true);
    await exportWith(embedded.warehouse, place, liveSpec(TEAM), SPLIT, { ledger, attempt: 2 });
    expectManifestTrue();
    expect(await readUuids()).toEqual(uuids);
  });
});

/** Queries of runs that the engine still works on. */
async function running(): Promise<unknown[]> {
  return embedded.warehouse.rows({
    sql: `SELECT query FROM system.processes WHERE position(query, 'LIMIT 1 BY') = 0 AND position(query, 'file(') > 0
          AND position(query, 'system.processes') = 0`,
  });
}

/** A warehouse that allows the encoding of a slice so many bytes. */
function limited(warehouse: Warehouse, bytes: number): Warehouse {
  return altered(warehouse, {
    command: (query) =>
      warehouse.command({ ...query, settings: { ...query.settings, max_memory_usage: bytes } }),
  });
}
