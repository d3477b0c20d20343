import { setTimeout as pause } from 'node:timers/promises';
import type { RunningSluice } from '../kit/sluice.ts';
import { createExport, startBackfill } from './check.ts';
import type { Place } from './destinations.ts';
import { makeEvents, type Range, type SentEvent, send } from './events.ts';

export interface WaveExport {
  readonly id: string;
  readonly prefix: string;
  readonly place: Place;
}

/** Three exports at once, each with a backlog of runs: one an hour of `range`. */
export async function beginWave(
  sluice: RunningSluice,
  number: number,
  { files, bucket }: { readonly files: Place; readonly bucket: Place },
  range: Range,
): Promise<WaveExport[]> {
  const kinds: [string, Place, Record<string, unknown>][] = [
    ['parquet', files, { file_format: 'Parquet', compression: 'zstd', max_file_size_mb: 1 }],
    ['gzip', files, { file_format: 'JSONLines', compression: 'gzip', max_file_size_mb: 1 }],
    ['bucket', bucket, { file_format: 'JSONLines', max_file_size_mb: 1 }],
  ];
  const wave: WaveExport[] = [];
  for (const [name, place, config] of kinds) {
    const prefix = `wave-${number}/${name}`;
    const id = await createExport(sluice, place.destination(prefix, config));
    await startBackfill(sluice, id, range);
    wave.push({ id, prefix, place });
  }
  return wave;
}

const isDead = ({ process: { exitCode, signalCode } }: RunningSluice): boolean =>
  exitCode !== null || signalCode !== null;

/**
 * Sends one batch after the other to whichever server `current` says, each until it is acknowledged, as PostHog's clients
 * do; returns all once it is `enough`.
 */
export async function keepCapturing(
  current: () => RunningSluice,
  range: Range,
  random: () => number,
  enough: AbortSignal,
): Promise<SentEvent[]> {
  const acknowledged: SentEvent[] = [];
  while (!enough.aborted) {
    const batch = makeEvents(20, range, 100, random);
    for (;;) {
      try {
        await send(current().ready, batch);
        break;
      } catch {
        // Dead: the next one takes it. Alive: it was asked at a bad moment, and is asked again.
        do await pause(20);
        while (isDead(current()));
      }
    }
    acknowledged.push(...batch);
    await pause(20);
  }
  return acknowledged;
}
