import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { createCounters } from './counters.ts';

it('begins every outcome at 0, so that the first refusal is an increase', async () => {
  const registry = new Registry();
  const counters = createCounters(registry);
  expect(await registry.metrics()).toContain('sluice_app_events_total{outcome="refused"} 0');
  counters.failed(3);
  const text = await registry.metrics();
  expect(text).toContain('sluice_app_events_total{outcome="refused"} 3');
  expect(text).toContain('sluice_app_events_total{outcome="delivered"} 0');
});
