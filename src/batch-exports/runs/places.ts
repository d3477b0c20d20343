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
  /** The attempt has ended, with `error` if it failed. */
  leave(place: string, error?: unknown): void;
}

interface Place {
  /** When an attempt last failed, milliseconds since the epoch; null: the last one did not. */
  failedAt: number | null;
  atWork: number;
}

/** No wait is shorter. */
const SHORTEST_MS = 5_000;
/** Of the runs that wait, one asks again every so often: asking is a few statements to the database. */
const SPACING_MS = 200;
/** As long as the longest wait after a failure. */
const LONGEST_MS = 600_000;

/** After so long without another failure whoever is at work there may well be getting on, with a large file. */
const BELIEVED_MS = 600_000;

/** `turns`: runs at once in this process. */
export function createPlaces(turns: number, clock: Pick<Clock, 'now'>): Places {
  const places = new Map<string, Place>();
  const forFailing = Math.max(1, turns - 1);
  let nextAsk = 0;

  const fails = ({ failedAt }: Place) => failedAt !== null && clock.now() - failedAt < BELIEVED_MS;
  const mayEnter = (place: Place): boolean => {
    if (!fails(place)) return true;
    const taken = [...places.values()].reduce((sum, each) => sum + (fails(each) ? each.atWork : 0), 0);
    return place.atWork === 0 && taken < forFailing;
  };

  return {
    enter: (name) => {
      const place = places.get(name) ?? { failedAt: null, atWork: 0 };
      if (mayEnter(place)) {
        place.atWork++;
        places.set(name, place);
        return null;
      }
      const now = clock.now();
      nextAsk = Math.min(Math.max(nextAsk + SPACING_MS, now + SHORTEST_MS), now + LONGEST_MS);
      return nextAsk - now;
    },
    leave: (name, error) => {
      const place = places.get(name);
      if (!place) return;
      place.atWork--;
      const away = doesNotAnswer(error);
      if (away !== null) place.failedAt = away ? clock.now() : null;
      if (!fails(place) && place.atWork === 0) places.delete(name);
    },
  };
}

/** Null: the attempt did not tell. */
function doesNotAnswer(error: unknown): boolean | null {
  if (error === undefined) return false;
  if (!(error instanceof SluiceError) || !error.code.startsWith('destination_')) return null;
  return error.code === 'destination_unavailable';
}

/** Names what runs share when their destination does not answer: the store, whatever the bucket or the prefix. */
export function placeOf({ destination: { type, integrationId, config } }: RunSnapshot): string {
  return JSON.stringify([type, integrationId, config.region ?? null, config.url ?? null]);
}
