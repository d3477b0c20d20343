import { SluiceError } from '../errors/error.ts';
import type { Project } from '../http/endpoint.ts';
import type { Clock } from '../work/clock.ts';

const KEPT_MS = 60_000;
/** Unknown keys are remembered shortly, so that a misconfigured site does not query on each event. */
const UNKNOWN_MS = 5_000;
/** While the database is away, capture goes on for so long with what it said last. */
const LAST_RESORT_MS = 86_400_000;
/** Between two questions to a database that is away. */
const AWAY_MS = 5_000;
/** A question that is open for longer than this is nobody's to wait for who knows the last answer. */
const PATIENCE_MS = 2_000;
/** And so long after it was asked nobody waits who knows none either. */
const UNANSWERED_MS = 5_000;
/** Projects, and as many keys of none. */
const MOST = 10_000;
const KEY = /^[\x21-\x7e]{1,200}$/;

interface Entry {
  /** What the database said last. */
  project: Project | null;
  saidAt: number;
  /** It is not asked again before. */
  until: number;
  /** The question that is open. */
  asking: Promise<Project | null> | null;
  askedAt: number;
  /** The last question failed because the database is away. */
  away: boolean;
}

/**
 * Projects by their `phc_…` key. Capture asks for each request; the database is asked once a minute. While it is away
 * the last answer holds for a day, if it was a project. Throws `database_unavailable` for a key of which nothing is
 * known.
 */
export function createProjectCache(
  clock: Pick<Clock, 'now'>,
  find: (token: string) => Promise<Project | null>,
): (token: string) => Promise<Project | null> {
  // Apart, because strangers can name as many unknown keys as they like.
  const known = new Map<string, Entry>();
  const unknown = new Map<string, Entry>();

  /** As the newest of its kind; the oldest makes room. */
  const keep = (token: string, entry: Entry) => {
    forget(token);
    const kind = entry.project === null ? unknown : known;
    for (const oldest of kind.keys()) {
      if (kind.size < MOST) break;
      kind.delete(oldest);
    }
    kind.set(token, entry);
  };
  const forget = (token: string) => {
    known.delete(token);
    unknown.delete(token);
  };

  const ask = async (token: string, entry: Entry): Promise<Project | null> => {
    const askedAt = clock.now();
    entry.askedAt = askedAt;
    try {
      const project = await find(token);
      const until = askedAt + (project === null ? UNKNOWN_MS : KEPT_MS);
      Object.assign(entry, { project, saidAt: askedAt, until, away: false });
      keep(token, entry);
      return project;
    } catch (error) {
      entry.away = isAway(error);
      if (!entry.away || !holds(entry)) forget(token);
      entry.until = clock.now() + AWAY_MS;
      throw error;
    }
  };

  const holds = ({ project, saidAt }: Entry) => project !== null && clock.now() - saidAt < LAST_RESORT_MS;

  return async (token) => {
    if (!KEY.test(token)) return null;
    const there = known.get(token) ?? unknown.get(token);
    if (there && there.until > clock.now()) return there.project;
    const entry = there ?? { project: null, saidAt: 0, until: 0, asking: null, askedAt: 0, away: false };
    if (!there) keep(token, entry);
    entry.asking ??= ask(token, entry).finally(() => {
      entry.asking = null;
    });
    const answer = entry.asking;
    try {
      if (!holds(entry) && clock.now() - entry.askedAt > UNANSWERED_MS)
        throw new SluiceError('database_unavailable');
      const waits = !entry.away && clock.now() - entry.askedAt <= PATIENCE_MS;
      if (waits || !holds(entry)) return await answer;
      answer.catch(() => {}); // told to those who wait
      return entry.project;
    } catch (error) {
      if (isAway(error) && holds(entry)) return entry.project;
      throw error;
    }
  };
}

const isAway = (error: unknown): boolean =>
  error instanceof SluiceError && error.code === 'database_unavailable';
