import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { CRASH_POINTS, crashAt } from './crash-at.ts';

/** How many of the steps it takes until the process dies; null = it lives. */
function diesAfter(env: Record<string, string>, steps: readonly string[]): number | null {
  let dead = false;
  const tell = crashAt(env, () => {
    dead = true;
  });
  for (const [index, step] of steps.entries()) {
    tell?.(step);
    if (dead) return index + 1;
  }
  return null;
}

it.each([
  ['claimed', 1],
  ['slice-staged', 2],
  ['slice-staged:1', 2],
  ['slice-staged:2', 4],
  ['slice-staged:3', null],
  ['insert-stored', null],
])('%s', (point, expected) => {
  const steps = ['claimed', 'slice-staged', 'published', 'slice-staged'];
  expect(diesAfter({ SLUICE_TEST: '1', SLUICE_CRASH_AT: point }, steps)).toBe(expected);
});

it.each([{}, { SLUICE_TEST: '0' }, { SLUICE_TEST: 'true' }])('does nothing outside of tests (%o)', (env) => {
  expect(crashAt({ ...env, SLUICE_CRASH_AT: 'claimed' }, () => {})).toBeNull();
});

it.each(['nowhere', 'claimed:0', 'claimed:x', 'claimed:1:1', ':1'])('refuses %s', (point) => {
  expect(() => crashAt({ SLUICE_TEST: '1', SLUICE_CRASH_AT: point }, () => {})).toThrow('SLUICE_CRASH_AT');
});

it('reads the point from a file, which may come later', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-crash-at-'));
  const file = join(folder, 'point');
  let deaths = 0;
  const tell = crashAt({ SLUICE_TEST: '1', SLUICE_CRASH_AT: `@${file}` }, () => {
    deaths += 1;
  });
  tell?.('planned');
  expect(deaths).toBe(0);
  writeFileSync(file, 'planned:2');
  tell?.('planned');
  expect(deaths).toBe(0);
  tell?.('planned');
  expect(deaths).toBe(1);
  rmSync(folder, { recursive: true });
});

it('knows every step once', () => {
  expect(new Set(CRASH_POINTS).size).toBe(CRASH_POINTS.length);
});
