import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { setClock } from './set-clock.ts';

const NOON = Date.parse('2026-01-01T12:00:00Z');

/** The machine's clock, in the test's hands. */
function machine() {
  const clock = { ms: NOON, now: () => clock.ms, sleep: async () => {} };
  return clock;
}

const never = () => expect.unreachable('was ignored');
const at = (ms: number | undefined) => new Date(ms ?? 0).toISOString();

it.each([
  ['2021-12-05T13:23:00Z', '2021-12-05T13:23:00.000Z'],
  ['2021-12-05T13:23', '2021-12-05T13:23:00.000Z'],
  ['2021-12-05T13:23:00+05:45', '2021-12-05T07:38:00.000Z'],
  ['2030-01-01', '2030-01-01T00:00:00.000Z'],
])('%s, and time runs on from there', (setting, moment) => {
  const under = machine();
  const clock = setClock({ SLUICE_TEST: '1', SLUICE_TEST_NOW: setting }, under, never);
  expect(at(clock?.now())).toBe(moment);
  under.ms += 90_000;
  expect(clock?.now()).toBe(Date.parse(moment) + 90_000);
});

it.each([{}, { SLUICE_TEST: '0' }, { SLUICE_TEST: 'true' }])(
  'is ignored outside of tests, and says so (%o)',
  (env) => {
    let told = 0;
    const clock = setClock({ ...env, SLUICE_TEST_NOW: 'anything' }, machine(), () => {
      told += 1;
    });
    expect([clock, told]).toEqual([null, 1]);
  },
);

it('is the machine’s where nothing is set', () => {
  expect(setClock({ SLUICE_TEST: '1' }, machine(), never)).toBeNull();
  expect(setClock({ SLUICE_TEST: '1', SLUICE_TEST_NOW: '' }, machine(), never)).toBeNull();
});

it.each(['yesterday', '2021-02-30', '@/nowhere/at/all'])('refuses %s', (setting) => {
  const env = { SLUICE_TEST: '1', SLUICE_TEST_NOW: setting };
  expect(() => setClock(env, machine(), never)).toThrow('SLUICE_TEST_NOW');
});

it('is set again by writing the file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
  const file = join(folder, 'now');
  writeFileSync(file, '2021-12-05T13:23:00Z\n');
  const under = machine();
  const clock = setClock({ SLUICE_TEST: '1', SLUICE_TEST_NOW: `@${file}` }, under, never);
  under.ms += 60_000;
  expect(at(clock?.now())).toBe('2021-12-05T13:24:00.000Z');
  writeFileSync(file, '');
  expect(at(clock?.now())).toBe('2021-12-05T13:24:00.000Z');
  writeFileSync(file, '2021-03-14T06:59:00Z');
  expect(at(clock?.now())).toBe('2021-03-14T06:59:00.000Z');
  under.ms += 60_000;
  expect(at(clock?.now())).toBe('2021-03-14T07:00:00.000Z');
  rmSync(folder, { recursive: true });
});
