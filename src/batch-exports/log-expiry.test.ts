import { afterAll, beforeAll, expect, it } from 'vitest';
import { openPreparedDatabase } from '../../test/kit/prepared-database.ts';
import type { Database } from '../database/database.ts';
import { removeOldLog } from './log-expiry.ts';
import { appendLog, readLog } from './logs.ts';

const DAY = 86_400_000;
const now = Date.UTC(2026, 0, 1);
let database: Database;

beforeAll(async () => {
  database = await openPreparedDatabase();
});
afterAll(() => database.close());

const write = (count: number, at: number) =>
  appendLog(
    database.kysely,
    Array.from({ length: count }, (_, index) => ({
      teamId: 1,
      exportId: 'export',
      runId: null,
      level: 'INFO' as const,
      message: `${index}`,
    })),
    at,
  );
const left = async () => {
  const lines = await readLog(database.kysely, { teamId: 1, exportId: 'export', levels: [], limit: 10_000 });
  return Map.groupBy(lines, ({ timestamp }) => (now - timestamp.getTime()) / DAY);
};

it('removes what is older, in as many statements as it takes, and nothing else', async () => {
  expect(await removeOldLog(database.kysely, now, 90)).toBe(0);
  await write(2_345, now - 91 * DAY);
  // Written by a process whose clock was ahead.
  await write(10, now + DAY);
  await write(100, now - 90.5 * DAY);
  await write(50, now - 90 * DAY);
  await write(1_500, now);
  const counts = await Promise.all([
    removeOldLog(database.kysely, now, 90),
    removeOldLog(database.kysely, now, 90),
  ]);
  expect(counts[0] + counts[1]).toBe(2_445);
  const lines = await left();
  expect([...lines].map(([age, { length }]) => [age, length])).toEqual([
    [-1, 10],
    [0, 1_500],
    [90, 50],
  ]);
  expect(await removeOldLog(database.kysely, now, 90)).toBe(0);
});

it('removes what lies behind more than a thousand lines that a clock far ahead wrote', async () => {
  await database.kysely.deleteFrom('log_entries').execute();
  await write(1_001, now + 400 * DAY);
  await write(10, now - 91 * DAY);
  await write(1_001, now);
  expect(await removeOldLog(database.kysely, now, 90)).toBe(10);
  expect([...(await left())].map(([age, { length }]) => [age, length])).toEqual([
    [-400, 1_001],
    [0, 1_001],
  ]);
});
