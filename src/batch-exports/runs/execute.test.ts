import { expect, it } from 'vitest';
import type { DestinationPorts, FileTarget } from '../../export/destinations/destination.ts';
import { type ExecutePorts, openTarget } from './execute.ts';
import type { ClaimedRun } from './store.ts';

it('hands on what the destination says while a file is on its way', async () => {
  let told = 0;
  const open = async (_: unknown, { onAnswer }: DestinationPorts) => {
    onAnswer?.();
    return {} as FileTarget;
  };
  const ports = {
    destinations: new Map([['S3', { open, files: () => null }]]),
    destinationPorts: {},
    setup: async () => ({ config: {} }),
  } as unknown as ExecutePorts;
  const run = { snapshot: { model: 'events', destination: { type: 'S3' } } } as ClaimedRun;
  await openTarget(ports, run, () => told++);
  expect(told).toBe(1);
});
