import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { SluiceError } from '../../errors/error.ts';
import { createRunMonitor } from './monitor.ts';

const to = (type: string) => ({
  id: 'r',
  exportId: 'e',
  teamId: 7,
  attempt: 2,
  snapshot: { destination: { type } },
});
const RUN = to('AwsS3');

it('counts what becomes of runs, and logs each failed attempt and each pause', async () => {
  const registry = new Registry();
  const lines: unknown[] = [];
  const monitor = createRunMonitor(registry, {
    warn: (fields: object, message: string) => void lines.push({ ...fields, message }),
  } as never);
  for (const kind of ['export', 'download'])
    expect(await registry.metrics()).toContain(`sluice_runs_ended_total{kind="${kind}",status="Failed"} 0`);
  monitor.attemptFailed(RUN, new SluiceError('destination_unavailable', { detail: 'No answer.' }), 5);
  monitor.attemptFailed(RUN, new TypeError('secret'), null);
  monitor.ended('export', 'Completed', 40);
  monitor.ended('export', 'Failed');
  monitor.exportPaused(RUN);
  const text = await registry.metrics();
  expect(text).toContain('sluice_runs_ended_total{kind="export",status="Completed"} 40');
  expect(text).toContain('sluice_runs_ended_total{kind="export",status="Failed"} 1');
  expect(text).toContain('sluice_run_attempts_failed_total{kind="export",code="destination_unavailable"} 1');
  expect(text).toContain('sluice_run_attempts_failed_total{kind="export",code="error"} 1');
  const named = { run: 'r', export: 'e', project: 7, attempt: 2 };
  const message = 'an attempt of a run failed';
  expect(lines).toEqual([
    { ...named, code: 'destination_unavailable', reason: 'No answer.', nextInSeconds: 5, message },
    { ...named, code: 'error', nextInSeconds: null, message },
    { ...named, message: 'an export was paused: its last runs failed' },
  ]);
});

it('tells downloads from exports: theirs is no failure of the night', async () => {
  const registry = new Registry();
  const monitor = createRunMonitor(registry, { warn: () => {} } as never);
  monitor.attemptFailed(to('FileDownload'), new SluiceError('model_not_available'), null);
  monitor.ended('download', 'Failed');
  const text = await registry.metrics();
  expect(text).toContain('sluice_run_attempts_failed_total{kind="download",code="model_not_available"} 1');
  expect(text).toContain('sluice_runs_ended_total{kind="download",status="Failed"} 1');
  expect(text).toContain('sluice_runs_ended_total{kind="export",status="Failed"} 0');
});
