import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type RunningSluice, startSluice } from '../kit/sluice.ts';

/** docs/reliability.md, "How the time is set", on a real server: dates, defaults and what is stored follow `SLUICE_TEST_NOW`. */

const folder = mkdtempSync(join(tmpdir(), 'sluice-clock-'));
const file = join(folder, 'now');
let sluice: RunningSluice;
let project: string;

beforeAll(async () => {
  writeFileSync(file, '2021-12-05T13:00:00Z');
  sluice = await startSluice({ env: { SLUICE_TEST: '1', SLUICE_TEST_NOW: `@${file}` } });
  project = `/api/environments/${sluice.ready.project_id}`;
});
afterAll(async () => {
  await sluice?.stop();
  rmSync(folder, { recursive: true });
});

interface Metrics {
  readonly metrics: { readonly dates: readonly string[] };
}

const ends = async (query: string) => {
  const { dates } = (await sluice.api<Metrics>('GET', `${project}/app_metrics/1/${query}`)).body.metrics;
  return [dates[0], dates.at(-1), dates.length];
};

// The clock runs on: each moment is early in its hour, and a start takes no fifty minutes.
it.each([
  ['2021-12-05T13:00:00Z', 'UTC', '', ['2021-11-05', '2021-12-05', 31]],
  ['2021-12-05T13:00:00Z', 'UTC', '?date_from=-7d', ['2021-11-28', '2021-12-05', 8]],
  [
    '2021-12-05T13:00:00Z',
    'UTC',
    '?date_from=-13h&date_to=-5h',
    ['2021-12-05 00:00:00', '2021-12-05 08:00:00', 9],
  ],
  [
    '2021-12-31T18:20:00Z',
    'Asia/Kathmandu',
    '?date_from=-1d&date_to=2022-01-03',
    ['2021-12-31', '2022-01-03', 4],
  ],
  [
    '2021-03-14T07:05:00Z',
    'America/New_York',
    '?date_from=-3h',
    ['2021-03-13 23:00:00', '2021-03-14 03:00:00', 4],
  ],
  [
    '2021-11-07T06:05:00Z',
    'America/New_York',
    '?date_from=-3h',
    ['2021-11-06 23:00:00', '2021-11-07 01:00:00', 4],
  ],
])('at %s in %s, %s', async (now, timezone, query, expected) => {
  writeFileSync(file, now);
  const changed = await sluice.api('PATCH', `/api/projects/${sluice.ready.project_id}/`, { timezone });
  expect(changed.status).toBe(200);
  expect(await ends(query)).toEqual(expected);
});

it('what is stored carries its time', async () => {
  writeFileSync(file, '2019-05-04T10:00:00Z');
  const body = {
    name: 'then',
    interval: 'hour',
    paused: true,
    destination: { type: 'Filesystem', config: { prefix: 'x' } },
  };
  const made = await sluice.api<{ created_at: string }>('POST', `${project}/batch_exports/`, body);
  expect(made.body.created_at).toMatch(/^2019-05-04T10:/);
});
