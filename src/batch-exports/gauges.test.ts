import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { SluiceError } from '../errors/error.ts';
import { type Backlog, installGauges } from './gauges.ts';

const NOW = 1_000_000;

const forEver = () => new Promise<never>(() => {});

async function scraped(read: () => Promise<Backlog>, sleep: () => Promise<void>): Promise<string[]> {
  const registry = new Registry();
  installGauges(registry, { now: () => NOW, sleep }, read);
  const text = await registry.metrics();
  return text.split('\n').filter((line) => line.startsWith('sluice_'));
}

it('tells how much waits and since when, with one look', async () => {
  let looks = 0;
  const read = async () => {
    looks++;
    return { active: 3, oldestCreatedAt: NOW - 90_000, earliestDueAt: NOW + 5_000, pausedByFailures: 2 };
  };
  expect(await scraped(read, forEver)).toEqual([
    'sluice_runs_active 3',
    'sluice_runs_oldest_active_age_seconds 90',
    'sluice_exports_most_overdue_seconds 0',
    'sluice_exports_paused_by_failures 2',
  ]);
  expect(looks).toBe(1);
});

it.each([
  ['is away', () => Promise.reject(new SluiceError('database_unavailable')), forEver],
  ['gives no answer', forEver, async () => {}],
])('says nothing while the database %s', async (_, read, sleep) => {
  expect(await scraped(read, sleep)).toEqual([]);
});
