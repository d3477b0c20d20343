import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BACKFILL_EVENTS, BACKFILL_STATES, backfillMachine } from './backfills/machine.ts';
import { RUN_EVENTS, RUN_STATES, RUN_STATUSES, runMachine, statesAccepting } from './runs/machine.ts';
import { SCHEDULE_EVENTS, SCHEDULE_STATES, scheduleMachine, scheduleState } from './schedule/machine.ts';

const DOCUMENT = readFileSync(new URL('../../docs/state-machines.md', import.meta.url), 'utf8');

/** The table under a heading as `{ state: { event: cell } }`. */
function documented(heading: string): Record<string, Record<string, string>> {
  const section = DOCUMENT.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  const events = rows[0]?.slice(1) ?? [];
  const width = events.length + 1;
  const body = rows.slice(2).filter((row) => row.length === width);
  return Object.fromEntries(
    body.map(([state = '', ...cells]) => [
      state,
      Object.fromEntries(events.map((event, i) => [event, cells[i] ?? ''])),
    ]),
  );
}

const asWritten = (machine: Readonly<Record<string, Readonly<Record<string, string>>>>) =>
  Object.fromEntries(
    Object.entries(machine).map(([state, row]) => [
      state,
      Object.fromEntries(Object.entries(row).map(([event, to]) => [event, to === 'ignored' ? '–' : to])),
    ]),
  );

describe('docs/state-machines.md', () => {
  it.each([
    ['Run', runMachine, RUN_STATES, RUN_EVENTS],
    ['Backfill', backfillMachine, BACKFILL_STATES, BACKFILL_EVENTS],
    ['Schedule', scheduleMachine, SCHEDULE_STATES, SCHEDULE_EVENTS],
  ] as const)('says what the table of %s does', (heading, machine, states, events) => {
    const table = documented(heading);
    expect(Object.keys(table)).toEqual([...states]);
    for (const row of Object.values(table)) expect(Object.keys(row)).toEqual([...events]);
    expect(table).toEqual(asWritten(machine));
  });
});

describe('the run machine', () => {
  it('uses only words that clients know', () => {
    expect(RUN_STATUSES).toEqual(expect.arrayContaining([...RUN_STATES]));
  });

  it('R3: leaves no final state', () => {
    for (const state of ['Completed', 'Failed', 'FailedRetryable', 'Cancelled'] as const) {
      expect(Object.values(runMachine[state]).every((to) => to === 'ignored' || to === 'refused')).toBe(true);
    }
  });

  it('tells which states an UPDATE may touch', () => {
    expect(statesAccepting('claim')).toEqual(['Starting', 'Running']);
    expect(statesAccepting('complete')).toEqual(['Running']);
  });
});

it.each([
  [{ paused: false, deleted_at: null, next_due_at: new Date(0) }, 'Active'],
  [{ paused: false, deleted_at: null, next_due_at: null }, 'Ended'],
  [{ paused: true, deleted_at: null, next_due_at: null }, 'Paused'],
  [{ paused: true, deleted_at: new Date(0), next_due_at: null }, 'Deleted'],
])('the columns %j are a schedule that is %s', (row, state) => {
  expect(scheduleState(row)).toBe(state);
});
