import { Counter, Gauge, type Registry } from 'prom-client';
import type { Counters } from './delivery/ports.ts';

/** What `/metrics` says about apps; no label has more values than these. */
export function createCounters(registry: Registry): Counters {
  const registers = [registry];
  const events = new Counter({
    name: 'sluice_app_events_total',
    help: 'Events that apps delivered or that their receivers refused.',
    labelNames: ['outcome'],
    registers,
  });
  // Or the first of its kind would be no increase.
  for (const outcome of ['delivered', 'refused']) events.inc({ outcome }, 0);
  const attempts = new Counter({
    name: 'sluice_app_attempts_failed_total',
    help: 'Attempts of apps to deliver a batch that failed and are repeated.',
    registers,
  });
  const failing = new Gauge({
    name: 'sluice_app_deliveries_failing',
    help: 'Deliveries of apps in this process whose receiver fails, or that cannot begin.',
    registers,
  });
  const unwritten = new Counter({
    name: 'sluice_app_metrics_unwritten_total',
    help: 'Rows of app metrics that an attempt could not write; they are tried again unless the warehouse is read-only.',
    registers,
  });
  return {
    delivered: (count) => events.inc({ outcome: 'delivered' }, count),
    failed: (count) => events.inc({ outcome: 'refused' }, count),
    attemptFailed: () => attempts.inc(),
    failing: (change) => failing.inc(change),
    unwritten: (rows) => unwritten.inc(rows),
  };
}
