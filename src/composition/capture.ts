import { availableParallelism } from 'node:os';
import type { Registry } from 'prom-client';
import { captureEndpoints } from '../capture/endpoints.ts';
import { installCaptureGauge } from '../capture/gauge.ts';
import { removeDeadStages } from '../capture/import/leftovers.ts';
import { createPersonIds } from '../capture/person-id.ts';
import { createReader } from '../capture/reader.ts';
import { openReaderThread } from '../capture/threads/open-thread.ts';
import { readInThreads } from '../capture/threads/readers.ts';
import { newUuid } from '../capture/uuid.ts';
import type { Endpoint } from '../http/endpoint.ts';
import type { Base } from './base.ts';
import { tidyEvery } from './tidying.ts';

/**
 * 320 events, 8 ms of reading. On two cores, all of which are busy with storing events, handing over requests of a
 * hundred as well brings not an event more.
 */
const THREAD_BYTES = 256 * 1024;
const MOST_THREADS = 4;
/** How often tables of imports that were killed are looked for. */
const TIDY_MS = 3_600_000;
/** Forty for each of a hundred events. */
const MOST_STRUCTURES_HERE = 4_000;
/**
 * The worst that may be in 20 MB (`structures.ts`) can be read with half of it, parsing takes a quarter. It must stay
 * well above that: reached inside `JSON.parse`, it ends the whole process instead of the thread.
 */
const THREAD_LIMITS = { maxOldGenerationSizeMb: 2048 };

/** PostHog's capture API, its large requests read in threads. */
export function composeCapture(
  base: Base,
  registry: Registry,
  stack: Pick<AsyncDisposableStack, 'defer'>,
): Endpoint[] {
  const { accounts, batcher, clock, log, warehouse } = base;
  installCaptureGauge(registry, batcher);
  const projectByKey = accounts.findProjectByToken;
  const reader = readInThreads({
    here: createReader({
      projectByKey,
      newUuid,
      personId: createPersonIds(),
      mostBytes: THREAD_BYTES,
      mostStructures: MOST_STRUCTURES_HERE,
    }),
    open: (onLost) => openReaderThread(projectByKey, onLost, THREAD_LIMITS),
    threads: Math.max(1, Math.min(availableParallelism() - 1, MOST_THREADS)),
    threadBytes: THREAD_BYTES,
    onLost: (error) => log.warn({ err: error }, 'reading captured events failed'),
  });
  stack.defer(() => reader.close());
  tidyEvery(
    base,
    stack,
    TIDY_MS,
    () => removeDeadStages(warehouse),
    'tables of imports that were killed could not be removed',
  );
  return captureEndpoints({ reader, batcher, clock, keepIp: true });
}
