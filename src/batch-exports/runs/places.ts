import { SluiceError } from '../../errors/error.ts';
import type { Clock } from '../../work/clock.ts';
import type { RunSnapshot } from './snapshot.ts';

/**
 * Keeps places that do not answer from taking every turn: an attempt at such a place holds its turn for minutes, and
 * the oldest runs come first, so that one dead store kept all other exports waiting. Of a place whose last attempt
 * failed with `destination_unavailable` one run at a time goes on and finds out whether it answers again; and all such
 * places together leave one turn to others. What is known is this process's own, and forgotten with it.
 */
export interface Places {
  /** Null: the run may begin, and `leave` follows. Else the milliseconds after which it may ask again. */
  enter(place: string): number | null;
  /** The place has taken something: it answers. */
  answers(place: string): void;
  /** The attempt has ended, with `error` if it failed. That it did not says nothing: it may have had no rows. */
  leave(place: string, error?: unknown): void;
}

interface Place {
  /** It did not answer, and has not answered since. */
  failing: boolean;
  atWork: number;
  /** When the last one entered, milliseconds since the epoch. */
  enteredAt: number;
  /** When the last of those that wait asks again. */
  nextAsk: number;
}

/** No wait is shorter. */
const SHORTEST_MS = 5_000;
/** Of the runs that wait, one asks again every so often: asking is a few statements to the database. */
const SPACING_MS = 200;
/** As long as the longest wait after a failure. */
const LONGEST_MS = 600_000;

/**
 * Whoever has been at work for so long may well be getting on, with a large file: at a place that takes a byte now and
 * then an attempt gives up after half an hour.
 */
const BELIEVED_MS = 2_400_000;

/** `turns`: runs at once in this process. */
export function createPlaces(turns: number, clock: Pick<Clock, 'now'>): Places {
  const places = new Map<string, Place>();
  const forFailing = Math.max(1, turns - 1);

  const fails = ({ failing, atWork, enteredAt }: Place) =>
    failing && (atWork === 0 || clock.now() - enteredAt < BELIEVED_MS);
  const mayEnter = (place: Place): boolean => {
    if (!fails(place)) return true;
    const taken = [...places.values()].reduce((sum, each) => sum + (fails(each) ? each.atWork : 0), 0);
    return place.atWork === 0 && taken < forFailing;
  };

  return {
    enter: (name) => {
      const now = clock.now();
      const place = places.get(name) ?? { failing: false, atWork: 0, enteredAt: now, nextAsk: 0 };
      if (mayEnter(place)) {
        place.atWork++;
        place.enteredAt = now;
        places.set(name, place);
        return null;
      }
      const wait = Math.min(Math.max(place.nextAsk + SPACING_MS - now, SHORTEST_MS), LONGEST_MS);
      place.nextAsk = now + wait;
      return wait;
    },
    answers: (name) => {
      const place = places.get(name);
      if (place) Object.assign(place, { failing: false, nextAsk: 0 });
    },
    leave: (name, error) => {
      const place = places.get(name);
      if (!place) return;
      place.atWork--;
      place.failing = doesNotAnswer(error) ?? place.failing;
      if (!place.failing && place.atWork === 0) places.delete(name);
    },
  };
}

/**
 * Does `work` at a place when it may; null = done, else the milliseconds after which to ask again. Throws what `work` throws,
 * and remembers what that tells of the place.
 */
export async function inTurn(
  places: Places,
  place: string,
  work: () => Promise<void>,
): Promise<number | null> {
  const wait = places.enter(place);
  if (wait !== null) return wait;
  let thrown: unknown;
  try {
    await work();
  } catch (error) {
    thrown = error;
    throw error;
  } finally {
    places.leave(place, thrown);
  }
  return null;
}

/** Null: the attempt did not tell. A place that says that a file is gone (`destination_changed`) answers. */
function doesNotAnswer(error: unknown): boolean | null {
  if (!(error instanceof SluiceError) || !error.code.startsWith('destination_')) return null;
  return error.code === 'destination_unavailable';
}

/** Names what runs share when their destination does not answer: the store, whatever the bucket or the prefix. */
export function placeOf({ destination: { type, integrationId, config } }: RunSnapshot): string {
  return JSON.stringify([type, integrationId, config.region ?? null, config.url ?? null]);
}
