import { hasHiddenCharacters } from '../../work/hidden-characters.ts';
import type { CheckPorts, FieldProblem } from './app.ts';

/** What is wrong with a URL to send to. Never repeats it: it may hold a token. */
export async function urlProblems(
  key: string,
  value: unknown,
  ports: CheckPorts,
): Promise<readonly FieldProblem[]> {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol)) {
    return [{ key, detail: 'Must be a URL starting with https:// or http://.' }];
  }
  if (hasHiddenCharacters(value as string)) {
    return [{ key, detail: 'Must not hold spaces or control characters.' }];
  }
  if (url.username || url.password) return [{ key, detail: 'Must not hold a user name or a password.' }];
  const problem = await ports.problemWithHost(url.hostname);
  return problem === null ? [] : [{ key, detail: problem }];
}
