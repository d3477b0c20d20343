import type { Project } from '../http/endpoint.ts';
import type { Clock } from '../work/clock.ts';

const KEPT_MS = 60_000;
/** Unknown keys are remembered shortly, so that a misconfigured site does not query on each event. */
const UNKNOWN_MS = 5_000;
const MOST = 10_000;
const KEY = /^[\x21-\x7e]{1,200}$/;

/** Projects by their `phc_…` key. Capture asks for each request; the database is asked once a minute. */
export function createProjectCache(
  clock: Pick<Clock, 'now'>,
  find: (token: string) => Promise<Project | null>,
): (token: string) => Promise<Project | null> {
  const entries = new Map<string, { project: Promise<Project | null>; until: number }>();
  return async (token) => {
    if (!KEY.test(token)) return null;
    const now = clock.now();
    const known = entries.get(token);
    if (known && known.until > now) return known.project;
    if (entries.size >= MOST) entries.clear();
    const entry = { project: find(token), until: now + KEPT_MS };
    entries.set(token, entry);
    try {
      const project = await entry.project;
      if (project === null) entry.until = now + UNKNOWN_MS;
      return project;
    } catch (error) {
      entries.delete(token);
      throw error;
    }
  };
}
