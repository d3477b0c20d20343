import { SluiceError } from '../../errors/error.ts';
import type { App } from '../catalogue/app.ts';
import { completeHistoricalExport } from '../historical-exports/end.ts';
import { createAlarm } from './alarm.ts';
import { attempt, waits } from './attempt.ts';
import { createCount } from './count.ts';
import type { Course } from './course.ts';
import { createDoubts } from './doubts.ts';
import { createHealth } from './health.ts';
import { createOnTheWay } from './on-the-way.ts';
import { planBatches } from './plan.ts';
import type { DeliverPorts, Tide } from './ports.ts';
import { compare } from './position.ts';
import { firstReach } from './reach.ts';
import { createReadAhead } from './read-ahead.ts';
import { settle } from './settle.ts';
import { asFound, createShortfalls } from './shortfall.ts';
import { steadyClock } from './steady.ts';
import { type Delivery, type OpenBatch, storePlan } from './store.ts';
import { createTroubles } from './troubles.ts';

/** One delivery under way in this process. */
export interface Follower {
  readonly teamId: number;
  /** Nothing of it is on the way, and nothing will be: stopped, complete, taken over, or unsure of what is stored. */
  readonly ended: boolean;
  /** There is something new to look at. */
  wake(): void;
  /** Begins nothing more; resolves when what is on the way has ended. */
  stop(): Promise<void>;
  /** Cuts off what is on the way. */
  abort(): void;
}

/** Batches at once of an app that does not mind their order. */
const WIDTH = 4;
/** However many a historical export asks for: each holds a batch in memory. */
const MOST = 10;
/** Looks at what is new follow each other no sooner, milliseconds. */
const LOOK_MS = { least: 50, most: 5_000 };
const IDLE_MS = 60_000;
/** Of a historical export whose events may not all be there yet. */
const TIDE_MS = 250;

/**
 * Follows the warehouse for a delivery, whose open batches are `stored`, until stopped, complete, taken over, or unsure of
 * what is stored.
 */
export function follow(
  ports: DeliverPorts,
  app: App,
  delivery: Delivery,
  stored: readonly OpenBatch[],
  tide: Tide,
): Follower {
  const { log } = ports;
  const clock = steadyClock(ports.clock);
  const { job, pluginConfigId } = delivery;
  const course: Course = {
    teamId: delivery.teamId,
    by: job ? 'event time' : 'arrival',
    arrivalBefore: job?.arrivalBefore ?? null,
  };
  const width = job ? Math.min(job.parallelism, MOST) : app.orderedPerDistinctId ? 1 : WIDTH;
  const limits = job ? { ...app.batch, waitMs: 0 } : app.batch;
  const lookMs = Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, app.batch.waitMs / 10));
  const health = createHealth({ ...ports, clock }, ports.backoff, delivery);
  const stopping = new AbortController();
  const cutting = new AbortController();
  const alarm = createAlarm(clock);
  const troubles = createTroubles(clock);
  const shortfalls = createShortfalls(clock, ports.oneCopy);
  const doubts = createDoubts();
  const count = createCount(ports, delivery, course);
  const reach = firstReach();
  const ahead = createReadAhead(ports.warehouse, course);
  const onTheWay = createOnTheWay({
    memory: ports.memory,
    health,
    ahead,
    mostBytes: app.batch.bytes,
    stopping: stopping.signal,
    onRoom: alarm.ring,
  });
  let open = stored;
  let cursor = delivery.cursor;
  let counted = job?.status !== 'Starting';
  let plannedAll = false;
  /** When to look for more, milliseconds since the epoch; infinite = when there is news. */
  let lookAt = 0;
  let lookedAt = 0;
  let ended = false;

  const running = run().finally(() => {
    health.close();
    ended = true;
  });
  return {
    teamId: delivery.teamId,
    get ended() {
      return ended;
    },
    wake: () => {
      lookAt = Math.min(lookAt, lookedAt + lookMs);
      alarm.ring();
    },
    stop: () => {
      stopping.abort();
      return running;
    },
    abort: () => {
      stopping.abort();
      cutting.abort(new SluiceError('unavailable'));
    },
  };

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      await turn().catch((error) => troubled(error, 'a delivery could not go on'));
      await alarm.wait(untilNext(), stopping.signal);
    }
    await onTheWay.ended();
  }

  async function turn(): Promise<void> {
    // Also before a plan: one that fails, again and again, must not keep back what is open.
    begin();
    if (hasRoom() && clock.now() >= lookAt) await plan();
    begin();
    if (!job || !plannedAll || open.length > 0) return;
    await completeHistoricalExport(ports, delivery, job.id);
    stopping.abort();
  }

  function troubled(error: unknown, what: string): void {
    // Someone else has it now, or it is no more: nothing is left to do here.
    if (error instanceof SluiceError && error.code === 'delivery_superseded') {
      stopping.abort();
      return;
    }
    // Cut off: no trouble of its own.
    if (cutting.signal.aborted) return;
    log.warn({ err: error, pluginConfig: pluginConfigId }, what);
    const waitMs = troubles.another();
    lookAt = clock.now() + waitMs;
    health.pause(waitMs);
  }

  /**
   * When storing fails, nobody knows whether it was done: it may be only the reply that was lost. To go on from memory could
   * send events twice, under two keys. So this ends, and whoever looks after it begins it anew from what is stored.
   */
  async function surely<T>(storing: Promise<T>): Promise<T> {
    try {
      return await storing;
    } catch (error) {
      stopping.abort();
      throw error;
    }
  }

  function untilNext(): number {
    const now = clock.now();
    const look = hasRoom() ? lookAt : now + IDLE_MS;
    const send = nextToSend() ? health.waitMs : IDLE_MS;
    return Math.max(1, Math.min(IDLE_MS, look - now, send));
  }

  function hasRoom(): boolean {
    return !plannedAll && open.length < 2 * width;
  }

  /** A receiver that fails is asked with one batch until it takes it. */
  function breadth(): number {
    return health.failures > 0 ? 1 : width;
  }

  async function plan(): Promise<void> {
    lookedAt = clock.now();
    lookAt = lookedAt + TIDE_MS;
    if (job && tide.micros < job.arrivalBefore * 1000) return;
    const end = job ? job.eventTo * 1000 : tide.micros;
    if (job && !counted) await count(job.id, cursor, end, cutting.signal);
    counted = true;
    lookAt = Number.POSITIVE_INFINITY;
    // Events are stamped by the machine's clock, which the steady one is ahead of once it was set back.
    const now = ports.clock.now();
    const asking = { warehouse: ports.warehouse, now, signal: cutting.signal };
    const found = await planBatches(asking, course, cursor, end, limits, reach);
    if (compare(found.cursor, cursor) !== 0) {
      const added = await surely(storePlan(ports, delivery, found.batches, found.cursor));
      // Batches may have ended meanwhile: `open` is read after the wait, not before.
      open = [...open, ...added];
      cursor = found.cursor;
      ports.onStep('batch-stored');
    }
    if (!found.reachedEnd) lookAt = lookedAt;
    else if (found.restDueAt !== null)
      lookAt = Math.min(lookAt, lookedAt + Math.max(found.restDueAt - now, lookMs));
    plannedAll = job !== null && found.reachedEnd;
    // With batches open, reading one of them tells more than a plan.
    if (open.length === 0) troubles.over();
  }

  function tellGone(counts: { readonly planned: number; readonly found: number }): void {
    const what = 'events of a batch are gone from the warehouse, and not delivered';
    log.warn({ pluginConfig: pluginConfigId, ...counts }, what);
  }

  function begin(): void {
    if (stopping.signal.aborted || health.waitMs > 0) return;
    for (let batch = nextToSend(); batch; batch = nextToSend()) {
      const each = batch;
      onTheWay.begin(each, following(each), (next) => send(each, next));
    }
  }

  /** Null as long as those on the way are all there may be. */
  function nextToSend(): OpenBatch | null {
    const next = open.find((batch) => !onTheWay.has(batch));
    return next && onTheWay.size < breadth() && onTheWay.hasRoomFor(next) ? next : null;
  }

  /** What will be sent after a batch, unless its receiver fails; nor is more read than it when reading fails. */
  function following(batch: OpenBatch): readonly OpenBatch[] {
    if (health.failures > 0 || troubles.any) return [];
    return open.slice(open.indexOf(batch) + 1).filter((each) => !onTheWay.has(each));
  }

  async function send(planned: OpenBatch, next: readonly OpenBatch[]): Promise<void> {
    try {
      // An error of reading is not the receiver's: no attempt was made.
      const read = await ahead.read(planned, next, cutting.signal);
      const batch = await asFound(shortfalls, planned, read.events.length, tellGone);
      troubles.over();
      const outcome = await attempt(ports, app, delivery, batch, read, cutting.signal);
      const instead = await surely(settle(ports, app, delivery, health, doubts, batch, outcome));
      doubts.passOn(batch, instead);
      // Until it is taken days may pass, and the events may be others by then. Pieces go out at once.
      if (waits(outcome)) ahead.forget();
      else ahead.keep(instead, read);
      open = open.flatMap((each) => (each.id === batch.id ? instead : [each]));
    } catch (error) {
      ahead.forget();
      troubled(error, 'a batch could not be read, or what became of it not be stored');
    }
  }
}
