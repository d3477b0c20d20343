import { kindOf, SluiceError } from '../../errors/error.ts';
import type { App, AppEvent } from '../catalogue/app.ts';
import { masker } from '../metrics/write-details.ts';
import type { PlannedBatch } from './cut.ts';
import type { DeliverPorts } from './ports.ts';
import type { PlacedEvents } from './read.ts';
import type { Delivery, OpenBatch } from './store.ts';
import { PERHAPS_THE_BATCH } from './verdict.ts';

interface Failed {
  /** The catalogue's code and words for a person, without secrets. */
  readonly error: { readonly name: string; readonly message: string };
  readonly events: readonly AppEvent[];
}

/** What an attempt came to. */
export type Outcome =
  | { readonly kind: 'delivered'; readonly events: number }
  /** In smaller pieces it may be taken. */
  | ({ readonly kind: 'split'; readonly parts: readonly PlannedBatch[] } & Failed)
  /** Never, of all that is in the batch, or of the first of two parts: the other one was not sent. */
  | ({ readonly kind: 'refused'; readonly parts: readonly [PlannedBatch, PlannedBatch] | null } & Failed)
  /** Not now. `retryAfter` in seconds; `toMend`: by a person; `parts`: should it go on, in pieces some of it may be taken; null = hardly. */
  | ({
      readonly kind: 'later';
      readonly retryAfter: number | undefined;
      readonly toMend: boolean;
      readonly parts: readonly PlannedBatch[] | null;
    } & Failed)
  /** Its first events were taken, one by one; `next` is what became of the rest, null = nothing yet. */
  | {
      readonly kind: 'begun';
      readonly first: PlannedBatch;
      readonly rest: PlannedBatch;
      readonly next: Outcome | null;
    };

/** Whether what an attempt left is to be sent at some later time. */
export const waits = (outcome: Outcome): boolean =>
  outcome.kind === 'later' || (outcome.kind === 'begun' && outcome.next !== null && waits(outcome.next));

/** Longer than any app should take for one batch. */
const LONGEST_MS = 600_000;

/**
 * Hands a batch, as it was read, to its app, once. Throws only when `signal` aborts and nothing of it is known to have been
 * taken.
 */
export async function attempt(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: OpenBatch,
  read: PlacedEvents,
  signal: AbortSignal,
): Promise<Outcome> {
  const { events } = read;
  const late = AbortSignal.timeout(LONGEST_MS);
  const stop = AbortSignal.any([signal, late]);
  let taken = 0;
  // Gone since the batch was planned (shortfall.ts).
  if (events.length === 0) return { kind: 'delivered', events: 0 };
  try {
    ports.onStep('batch-sending');
    const delivered = app.deliver(
      // By the stored bound, not by the rows read: the same at every attempt.
      {
        id: batch.id,
        events,
        endsAt: Math.floor(batch.until.first / 1000),
        historical: delivery.job !== null,
      },
      {
        pluginConfigId: delivery.pluginConfigId,
        teamId: delivery.teamId,
        config: delivery.config,
        ports: ports.appPorts,
        signal: stop,
        onTaken: () => {
          taken += 1;
        },
      },
    );
    await unlessAborted(delivered, stop);
    ports.onStep('batch-sent');
    return { kind: 'delivered', events: events.length };
  } catch (thrown) {
    if (taken === 0) signal.throwIfAborted();
    if (taken === events.length) return { kind: 'delivered', events: taken };
    const [first, rest, left] = cutAfter(taken, batch, read);
    const next = (): Outcome => judge(ports, app, delivery, rest, left, late.aborted ? tooLate() : thrown);
    const isCutOff = signal.aborted || late.aborted;
    return first ? { kind: 'begun', first, rest, next: isCutOff ? null : next() } : next();
  }
}

const tooLate = () =>
  new SluiceError('destination_unavailable', {
    detail: `The receiver did not take a batch within ${LONGEST_MS / 1000} s.`,
  });

/** The first `taken` events of a batch, null = none, and the rest as a batch of its own. */
function cutAfter(
  taken: number,
  batch: PlannedBatch,
  read: PlacedEvents,
): readonly [first: PlannedBatch | null, rest: PlannedBatch, left: PlacedEvents] {
  const at = read.positions[taken - 1];
  const left = { events: read.events.slice(taken), positions: read.positions.slice(taken) };
  if (at === undefined || left.events.length === 0) return [null, batch, read];
  const first = { after: batch.after, until: at, events: taken, bytes: null };
  return [first, { after: at, until: batch.until, events: left.events.length, bytes: null }, left];
}

/** Some clients cannot be stopped; their answer is not waited for. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const stop = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function judge(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  batch: PlannedBatch,
  { events, positions }: PlacedEvents,
  thrown: unknown,
): Outcome {
  if (kindOf(thrown) === 'bug') {
    ports.log.error({ err: thrown, pluginConfig: delivery.pluginConfigId }, 'a delivery failed unexpectedly');
  }
  const failed = { error: describe(thrown, masker(app, delivery.config)), events };
  const { code, retryAfter, cause } = thrown instanceof SluiceError ? thrown : UNKNOWN;
  if (code !== 'delivery_refused' && code !== 'delivery_too_large') {
    const parts = cause === PERHAPS_THE_BATCH && !app.oneByOne?.(delivery.config) ? halves() : null;
    return { kind: 'later', ...failed, retryAfter, toMend: kindOf(thrown) !== 'retry', parts };
  }
  if (app.oneByOne?.(delivery.config)) {
    const [first, rest] = cutAfter(1, batch, { events, positions });
    return { kind: 'refused', ...failed, events: events.slice(0, 1), parts: first && [first, rest] };
  }
  const parts = halves();
  return parts ? { kind: 'split', parts, ...failed } : { kind: 'refused', ...failed, parts: null };

  function halves(): readonly PlannedBatch[] | null {
    const middle = Math.ceil(events.length / 2);
    const at = positions[middle - 1];
    if (events.length < 2 || at === undefined) return null;
    return [
      { after: batch.after, until: at, events: middle, bytes: null },
      { after: at, until: batch.until, events: events.length - middle, bytes: null },
    ];
  }
}

const UNKNOWN = { code: null, retryAfter: undefined, cause: undefined };

/** Characters of an error, whatever a receiver says. */
const SHOWN = 250;

/** Receivers say anything, also what no row of the database can hold. */
const storable = (text: string) => text.replaceAll('\0', '').toWellFormed();

function describe(thrown: unknown, mask: (text: string) => string): { name: string; message: string } {
  if (thrown instanceof SluiceError) {
    return { name: thrown.code, message: storable(mask(thrown.message).slice(0, SHOWN)) };
  }
  return {
    name: 'error',
    message: 'Something unexpected went wrong; the log of the server has the details.',
  };
}
