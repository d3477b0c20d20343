import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileTarget } from '../../src/export/destinations/destination.ts';
import { openFilesystem } from '../../src/export/destinations/filesystem/target.ts';
import type { Ledger, LedgerEntry, Outcome, PreviousSlice, RunObserver } from '../../src/export/outcome.ts';
import type { ExportPorts } from '../../src/export/ports.ts';
import { runExport } from '../../src/export/run.ts';
import { type FileOptions, type RunSpec, sliceName } from '../../src/export/spec.ts';
import type { Warehouse } from '../../src/warehouse/warehouse.ts';
import { systemClock } from '../../src/work/clock.ts';
import { testPorts } from '../destinations/ports.ts';

export const HOUR = 3_600_000;
/** Start of the interval that the tests export. */
export const START = Date.UTC(2026, 2, 1);

/** A row of `events` as the tests write it; times in microseconds since the epoch. */
export interface EventRow {
  readonly uuid: string;
  readonly event: string;
  readonly distinct_id: string;
  readonly properties: string | Buffer;
  readonly person_properties: string;
  readonly elements_chain: string;
  readonly timestamp: number;
  readonly created_at: number;
  readonly inserted_at: number | null;
  readonly _timestamp: number;
}

/** The n-th event of a test; what is not given is plain. */
export function eventRow(n: number, change: Partial<EventRow> = {}): EventRow {
  const arrival = START * 1000 + n * 1_000_000;
  return {
    uuid: uuidOf(n),
    event: n % 3 === 0 ? '$pageview' : 'clicked',
    distinct_id: `user ${n % 7}`,
    properties: JSON.stringify({ n, nested: { path: `/p/${n}`, list: [1, 'zwei', null] } }),
    person_properties: n % 2 === 0 ? JSON.stringify({ email: `u${n}@example.com` }) : '',
    elements_chain: n % 5 === 0 ? 'a.nav:text="Home"' : '',
    timestamp: arrival - 2_000_000,
    created_at: arrival,
    inserted_at: arrival,
    _timestamp: Math.floor(arrival / 1e6) * 1e6,
    ...change,
  };
}

export function uuidOf(n: number): string {
  const hex = (BigInt(n) * 0x9e3779b97f4a7c15f39cc0605cedc835n + 0x1234n) % (1n << 128n);
  const digits = hex.toString(16).padStart(32, '0');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

const COLUMNS = [
  'uuid',
  'event',
  'distinct_id',
  'properties',
  'person_properties',
  'elements_chain',
  'timestamp',
  'created_at',
  'inserted_at',
  '_timestamp',
  'team_id',
  'person_id',
] as const;

/** Stores rows of one project exactly as they are, any byte included. */
export async function insertEvents(
  warehouse: Warehouse,
  teamId: number,
  rows: readonly EventRow[],
): Promise<void> {
  const lines = rows.map((row) =>
    Buffer.concat(
      COLUMNS.flatMap((column, index) => [Buffer.from(index ? '\t' : ''), field(row, teamId, column)]).concat(
        Buffer.from('\n'),
      ),
    ),
  );
  await warehouse.insert({
    table: 'events',
    columns: COLUMNS,
    format: 'TabSeparated',
    body: Buffer.concat(lines),
    settings: { optimize_on_insert: 0 },
  });
}

function field(row: EventRow, teamId: number, column: (typeof COLUMNS)[number]): Buffer {
  if (column === 'team_id') return Buffer.from(String(teamId));
  if (column === 'person_id') return Buffer.from(row.uuid);
  const value = row[column];
  if (value === null) return Buffer.from('\\N');
  if (column === '_timestamp') return Buffer.from(String(Math.floor(Number(value) / 1e6)));
  // Written out: ClickHouse takes seconds for such only when they have ten digits.
  if (typeof value === 'number' && value < 1e15)
    return Buffer.from(new Date(value / 1000).toISOString().replace('T', ' ').slice(0, -1));
  if (typeof value === 'number')
    return Buffer.from(`${Math.floor(value / 1e6)}.${String(value % 1e6).padStart(6, '0')}`);
  const bytes = Buffer.from(value as string);
  const escaped: number[] = [];
  for (const byte of typeof value === 'string' ? bytes : value) {
    if (byte === 9) escaped.push(0x5c, 0x74);
    else if (byte === 10) escaped.push(0x5c, 0x6e);
    else if (byte === 13) escaped.push(0x5c, 0x72);
    else if (byte === 0x5c) escaped.push(0x5c, 0x5c);
    else if (byte === 0) escaped.push(0x5c, 0x30);
    else escaped.push(byte);
  }
  return Buffer.from(escaped);
}

export const PLAIN_FILES: FileOptions = {
  format: 'JSONLines',
  compression: null,
  prefix: '',
  maxFileSizeMb: null,
  legacyParquetExtension: false,
};

/** A live run over the hour from START of a project. */
export function liveSpec(teamId: number, change: Partial<RunSpec> = {}): RunSpec {
  const end = START + HOUR;
  return {
    runId: `00000000-0000-4000-8000-${String(teamId).padStart(12, '0')}`,
    exportId: '00000000-0000-4000-8000-00000000e000',
    teamId,
    model: 'events',
    interval: { start: START, end },
    region: { arrivalFrom: START, arrivalTo: end, eventFrom: null, eventTo: null },
    excludes: [],
    includeEvents: [],
    excludeEvents: [],
    filters: [],
    destination: { type: 'Filesystem', config: {}, integration: {} },
    ...change,
  };
}

export interface MemoryLedger extends Ledger {
  readonly kept: Map<string, LedgerEntry>;
  previous: string[];
  previousSlices: () => Promise<PreviousSlice[]>;
}

const receiptsOf = ({ kept }: MemoryLedger) => [...kept.values()].map(({ staged }) => staged);

/**
 * The ledger of a run that repeats the one with `ledger`, which wrote a manifest or none; `earlier` ones repeated it, too, and ended
 * without an outcome.
 */
export function repeating(
  ledger: MemoryLedger,
  listed = true,
  earlier: readonly MemoryLedger[] = [],
): MemoryLedger {
  const slices = [...ledger.kept.values()].map(({ slice, staged }) => ({ slice, key: staged.key }));
  const files = slices.map(({ key }) => ({ key, listed }));
  const own = memoryLedger(
    slices.map(({ key }) => key),
    listed,
  );
  return {
    ...own,
    previousSlices: async () => slices,
    replaced: async () => files,
    marks: async () => ({
      runIds: [REPEATED, STOPPED],
      receipts: [ledger, ...earlier, own].flatMap(receiptsOf),
    }),
  };
}

/** The id of the run that a repeating one repeats. */
export const REPEATED = '00000000-0000-4000-8000-0000000000ff';
/** The id of one that repeated it before and ended without an outcome. */
export const STOPPED = '00000000-0000-4000-8000-0000000000bb';

/** The ledger as one process sees it; the real one is tested with the database. */
export function memoryLedger(previous: string[] = [], listed = true): MemoryLedger {
  const kept = new Map<string, LedgerEntry>();
  let replacing = false;
  const ledger: MemoryLedger = {
    kept,
    previous,
    entries: async () => [...kept.values()],
    record: async (entry) => {
      kept.set(sliceName(entry.slice), JSON.parse(JSON.stringify(entry)) as LedgerEntry);
    },
    forget: async (slice) => {
      kept.delete(sliceName(slice));
    },
    withdraw: async () => {
      for (const [name, entry] of kept) kept.set(name, { ...entry, withdrawn: true });
      return [...kept.values()];
    },
    assertOwned: async () => {},
    beginReplacing: async () => {
      replacing = true;
    },
    isReplacing: async () => replacing,
    previousKeys: async () => ledger.previous,
    replaced: async () => ledger.previous.map((key) => ({ key, listed, vouched: true as const })),
    marks: async () => ({ runIds: [], receipts: receiptsOf(ledger) }),
    previousSlices: async () => [],
  };
  return ledger;
}

export interface Recorder extends RunObserver {
  readonly logs: { level: string; message: string }[];
  readonly steps: string[];
  readonly totals: number[];
}

export function recorder(onStep: (name: string) => void = () => {}): Recorder {
  const logs: Recorder['logs'] = [];
  const steps: string[] = [];
  const totals: number[] = [];
  return {
    logs,
    steps,
    totals,
    log: (level, message) => void logs.push({ level, message }),
    planned: (total) => void totals.push(total),
    progress: () => {},
    step: (name) => {
      steps.push(name);
      onStep(name);
    },
  };
}

export interface Place {
  readonly root: string;
  readonly target: FileTarget;
  remove(): void;
}

/** An empty directory with the real Filesystem destination on it. */
export async function openPlace(): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'sluice-engine-'));
  const setup = { type: 'Filesystem', config: {}, integration: {} };
  const target = await openFilesystem(setup, testPorts(root));
  return { root, target, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/** One run with everything plain that is not given. */
export function exportWith(
  warehouse: Warehouse,
  place: Place,
  spec: RunSpec,
  files: FileOptions,
  change: Partial<ExportPorts> = {},
): Promise<Outcome> {
  return runExport(spec, {
    warehouse,
    target: place.target,
    files,
    ledger: memoryLedger(),
    observer: recorder(),
    clock: systemClock,
    signal: new AbortController().signal,
    attempt: 1,
    spool: null,
    readBack: false,
    ...change,
  });
}

/** The same warehouse as it looks over a network: bytes have to pass through Node. */
export const remote = (warehouse: Warehouse): Warehouse => altered(warehouse, { localFiles: false });

/** The same warehouse but for `change`. */
export function altered(warehouse: Warehouse, change: Partial<Warehouse>): Warehouse {
  return new Proxy(warehouse, {
    get: (target, name) => {
      if (Object.hasOwn(change, name)) return Reflect.get(change, name);
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
