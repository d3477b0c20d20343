import { actionProperties, sessionProperties, type Visitor } from './properties.ts';
import { createRandom, type Random, zipf } from './random.ts';
import { type Action, pickAction } from './vocabulary.ts';

/** The argument of posthog-node's `capture`. */
export interface DemoEvent {
  readonly distinctId: string;
  readonly event: Action;
  readonly properties: Record<string, unknown>;
  readonly timestamp: Date;
  readonly uuid: string;
}

export interface DemoOptions {
  readonly seed: number;
  readonly start: Date;
  /** Exclusive. */
  readonly end: Date;
  readonly count: number;
}

interface Timed {
  readonly event: DemoEvent;
  /** When the client gets around to sending it; milliseconds. */
  readonly sentAt: number;
}

const MEAN_ACTIONS = 12;
const EVENTS_PER_USER = 25;
/**
 * Of a longer range the last minute stays empty: a server that corrects the sender's clock moves events
 * by the time a request takes, and none may leave the range by that.
 */
const MARGIN_MS = 60_000;

/**
 * A day (or any range) in a made-up shop: exactly `count` events inside the range, in the order their
 * clients send them. Sessions of users of very different diligence, busier in the evening; 2 % of the
 * sessions are sent hours late and their neighbours' events lie between. The same options give the
 * same events.
 */
export function demoEvents({ seed, start, end, count }: DemoOptions): DemoEvent[] {
  const random = createRandom(seed);
  const length = end.getTime() - start.getTime();
  const range = { start: start.getTime(), length: length > 10 * MARGIN_MS ? length - MARGIN_MS : length };
  const pickUser = zipf(Math.max(1, Math.ceil(count / EVENTS_PER_USER)), random);
  const events: Timed[] = [];
  while (events.length < count) {
    for (const timed of session(visitor(pickUser()), range, random)) {
      if (events.length < count) events.push(timed);
    }
  }
  return events.sort((a, b) => a.sentAt - b.sentAt).map(({ event }) => event);
}

/** What a user is depends on the rank alone: the same in every session. */
function visitor(rank: number): Visitor {
  const random = createRandom(rank + 1_000_003);
  return { rank, anonymousId: random.uuid(), known: random.chance(0.6), taste: random.int(1000) };
}

interface Range {
  readonly start: number;
  readonly length: number;
}

function* session(user: Visitor, range: Range, random: Random): Generator<Timed> {
  const shared = sessionProperties(user, random);
  const lateness = random.chance(0.02) ? random.exponential(3 * 3_600_000) : 0;
  const identifies = user.known && random.chance(0.5);
  const actions = 1 + Math.floor(random.exponential(MEAN_ACTIONS));
  let at = range.start + range.length * timeOfDay(random);
  for (let step = 0; step < actions; step++) {
    if (at >= range.start + range.length) return;
    const action = step === 0 ? '$pageview' : step === 1 && identifies ? '$identify' : pickAction(random);
    yield {
      sentAt: at + lateness + random.exponential(1500),
      event: {
        distinctId:
          user.known && (step > 0 || !identifies) ? `user-${user.rank}@shop.example` : user.anonymousId,
        event: action,
        properties: { ...shared, ...actionProperties(action, user, random) },
        timestamp: new Date(Math.floor(at)),
        uuid: random.uuid(),
      },
    };
    at += 500 + random.exponential(25_000);
  }
}

/** A share of the range in [0, 1): the mean of two draws bends the day, most happens past its middle. */
function timeOfDay(random: Random): number {
  return Math.min(0.999_999, ((random.next() + random.next()) / 2 + random.next() * 0.35) % 1);
}
