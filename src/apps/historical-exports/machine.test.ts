import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { HISTORICAL_EXPORT_EVENTS, HISTORICAL_EXPORT_STATES, historicalExportMachine } from './machine.ts';

const DOCUMENT = readFileSync(new URL('../../../docs/state-machines.md', import.meta.url), 'utf8');

it('docs/state-machines.md says what the table of the historical export does', () => {
  const section = DOCUMENT.split(/^## /m).find((part) => part.startsWith('Historical export\n')) ?? '';
  const [head = [], , ...rows] = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
  expect(head.slice(1)).toEqual([...HISTORICAL_EXPORT_EVENTS]);
  expect(rows.map(([state]) => state)).toEqual([...HISTORICAL_EXPORT_STATES]);
  const written = Object.values(historicalExportMachine).map((row) =>
    HISTORICAL_EXPORT_EVENTS.map((event) => (row[event] === 'ignored' ? '–' : row[event])),
  );
  expect(rows.map(([, ...cells]) => cells)).toEqual(written);
});

it('H2: leaves no final state', () => {
  for (const state of ['Completed', 'Failed'] as const) {
    for (const to of Object.values(historicalExportMachine[state]))
      expect(['ignored', 'refused']).toContain(to);
  }
});
