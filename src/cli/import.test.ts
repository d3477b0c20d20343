import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { prepareDatabase } from '../../test/kit/prepared-database.ts';
import { printedBy } from '../../test/kit/printed.ts';
import { startTestWarehouse, type TestWarehouse } from '../../test/kit/warehouse.ts';
import { createAccounts } from '../accounts/accounts.ts';
import { openDatabase } from '../database/database.ts';
import { systemClock } from '../work/clock.ts';
import { importCommand } from './import.ts';
import { readersOf } from './readers.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'sluice-import-'));
const where = { dataDir, databaseUrl: undefined, clickhouseUrl: undefined };
const NOW = Date.parse('2026-03-10T10:30:00Z');
const HOUR_MS = 3_600_000;
const clock = { now: () => NOW, sleep: systemClock.sleep };
let warehouse: TestWarehouse;
const readers = (project = 1) => readersOf(project, where, clock);
const NOBODY = { readSoFar: 0, exports: 0, apps: 0 };

beforeAll(async () => {
  warehouse = await startTestWarehouse();
});
afterAll(async () => {
  await warehouse.close();
  rmSync(dataDir, { recursive: true });
});

const never = () => new Promise<never>(() => {});

/** Resolves with what it printed. `stopped` resolves when somebody presses Ctrl-C. */
async function run(words: string[], stopped: () => Promise<unknown> = never): Promise<string> {
  const open = async () => ({
    warehouse: warehouse.warehouse,
    clock,
    readers,
    refuseUnknownProject: async () => {},
    close: async () => {},
  });
  const command = importCommand(open, stopped).exitOverride();
  return await printedBy(() => command.parseAsync(words, { from: 'user' }));
}

/** A backfill was asked for when the clock was an hour ahead. */
async function readAhead(): Promise<void> {
  await prepareDatabase(dataDir);
  const database = await openDatabase({ dataDir });
  const accounts = createAccounts({ db: database.kysely, clock, random: (n) => Buffer.alloc(n) });
  const { projectId } = await accounts.bootstrap(undefined);
  const at = new Date(NOW + HOUR_MS);
  const id = '019a0000-0000-7000-8000-000000000001';
  const times = { created_at: at, last_updated_at: at };
  await database.kysely
    .insertInto('batch_exports')
    .values({
      ...times,
      id,
      team_id: projectId,
      name: 'n',
      model: 'events',
      destination_type: 'NoOp',
      destination_config: '{}',
      interval: 'hour',
      next_interval_start: at,
    })
    .execute();
  await database.kysely
    .insertInto('batch_export_backfills')
    .values({
      ...times,
      id,
      team_id: projectId,
      batch_export_id: id,
      workflow_id: 'w',
      status: 'Completed',
      arrival_before: at,
    })
    .execute();
  // Held, as by a running server: nobody can look.
  expect(await readers()).toEqual(NOBODY);
  await database.close();
}

it('what is imported arrives after all that was exported, also when the clock was set back', async () => {
  expect(await readers()).toEqual(NOBODY);
  await readAhead();
  expect(await readers()).toEqual({ ...NOBODY, readSoFar: NOW + HOUR_MS });
  const file = join(dataDir, 'events.jsonl');
  const event = {
    uuid: '019a0000-0000-7000-8000-00000000000a',
    event: 'e',
    distinct_id: 'd',
    properties: {},
  };
  writeFileSync(file, `${JSON.stringify({ ...event, timestamp: '2026-03-01T00:00:00Z' })}\n`);
  // The engine's own clock is not set: its stamps are of today, and only the newest counts.
  const insert = vi.spyOn(warehouse.warehouse, 'command');
  await run([file]);
  const published = insert.mock.calls
    .map(([query]) => query)
    .find(({ sql }) => sql.includes('INSERT INTO events'));
  expect(Number(published?.params?.stamp)).toBeGreaterThanOrEqual((NOW + HOUR_MS) * 1000 - 1);
});

it('stopped, says what is stored and ends with status 130', async () => {
  const file = join(dataDir, 'stopped.jsonl');
  const line = '{"event":"e","distinct_id":"d","timestamp":"2026-03-01T00:00:00Z"}';
  writeFileSync(file, line);
  const before = process.exitCode;
  try {
    expect(await run([file], async () => {})).toBe(
      'Stopped; 0 events of stopped.jsonl are stored, the same command again stores the rest.\n',
    );
    expect(process.exitCode).toBe(130);
  } finally {
    process.exitCode = before;
  }
  expect(await run([file])).toContain('stopped.jsonl: 1 event stored\n');
});
