import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { destinations } from '../src/export/destinations/index.ts';
import { memoryLedger } from '../src/export/memory-ledger.ts';
import type { Outcome } from '../src/export/outcome.ts';
import { runExport } from '../src/export/run.ts';
import type { DestinationSetup } from '../src/export/spec.ts';
import type { Query, Warehouse } from '../src/warehouse/warehouse.ts';
import { systemClock } from '../src/work/clock.ts';
import type { Stage } from './stage.ts';

/** Where exports to the file system go. */
const filesRoot = (stage: Stage): string => join(stage.folder, 'ours');

/** What our exports to the file system and the other contestant, in one file, have written. */
export function removeOutputs(stage: Stage, theirs: string): void {
  rmSync(theirs, { force: true });
  rmSync(filesRoot(stage), { recursive: true, force: true });
}

/** A whole run of the engine, proof included, as a worker does it. */
export async function exportAll(
  stage: Stage,
  setup: DestinationSetup,
  warehouse: Warehouse = stage.warehouse,
): Promise<Outcome> {
  const destination = destinations.get(setup.type);
  if (!destination?.open) throw new Error(`no destination ${setup.type}`);
  const root = filesRoot(stage);
  mkdirSync(root, { recursive: true });
  const spool = join(stage.folder, 'spool');
  mkdirSync(spool, { recursive: true });
  const target = await destination.open(setup, {
    clock: systemClock,
    random: Math.random,
    filesRoot: root,
    checkHost: async () => {},
    onRetry: ({ what, error }) => console.error(`retry: ${what}: ${String(error)}`),
  });
  try {
    const outcome = await runExport(
      {
        runId: '00000000-0000-7000-8000-000000000001',
        exportId: '00000000-0000-7000-8000-000000000002',
        teamId: 1,
        model: 'events',
        interval: { start: stage.from.getTime(), end: stage.to.getTime() },
        region: {
          arrivalFrom: stage.from.getTime(),
          arrivalTo: stage.to.getTime(),
          eventFrom: null,
          eventTo: null,
        },
        excludes: [],
        includeEvents: [],
        excludeEvents: [],
        filters: [],
        destination: setup,
      },
      {
        warehouse,
        target,
        files: destination.files(setup.config),
        ledger: memoryLedger(),
        observer: { log: () => {}, planned: () => {}, progress: () => {}, step: () => {} },
        clock: systemClock,
        signal: new AbortController().signal,
        attempt: 1,
        spool,
        readBack: false,
      },
    );
    if (outcome.rows !== stage.rows) throw new Error(`${outcome.rows} rows instead of ${stage.rows}`);
    return outcome;
  } finally {
    await target.close();
  }
}

/** The statement with which our engine makes ClickHouse write the file: the other contestant runs the same. */
export async function recordedInsert(stage: Stage, setup: DestinationSetup): Promise<Query> {
  const inserts: Query[] = [];
  const recording: Warehouse = {
    localFiles: stage.warehouse.localFiles,
    rows: (query) => stage.warehouse.rows(query),
    bytes: (query) => stage.warehouse.bytes(query),
    insert: (insert) => stage.warehouse.insert(insert),
    kill: (queryId) => stage.warehouse.kill(queryId),
    ping: () => stage.warehouse.ping(),
    close: () => stage.warehouse.close(),
    command: async (query) => {
      if (query.sql.startsWith('INSERT INTO FUNCTION file')) inserts.push(query);
      await stage.warehouse.command(query);
    },
  };
  await exportAll(stage, setup, recording);
  const [insert] = inserts;
  if (!insert || inserts.length > 1) throw new Error(`${inserts.length} files instead of one`);
  return insert;
}

/** The same SELECT and settings into another place: a table function as SQL, made for the same format and codec. */
export function insertInto(insert: Query, place: (format: string, codec: string) => string): Query {
  const { queryId: _, signal: __, ...rest } = insert;
  const sql = insert.sql.replace(OWN_PLACE, (_match, format: string, codec: string) => place(format, codec));
  return { ...rest, sql };
}

const OWN_PLACE = /file\('(?:[^'\\]|\\.)*', '(\w+)', 'auto', '(\w+)'\)/;
