import { Gauge, type Registry } from 'prom-client';
import type { Batcher } from './batcher.ts';

/** What `/metrics` says about capture. */
export function installCaptureGauge(registry: Registry, batcher: Pick<Batcher, 'queuedBytes'>): void {
  new Gauge({
    name: 'sluice_capture_queued_bytes',
    help: 'Bytes of captured events in this process that are not stored yet; too many are answered with 503.',
    registers: [registry],
    collect() {
      this.set(batcher.queuedBytes);
    },
  });
}
