import { QUERY_ID_SQL, QUERY_SQL } from './engine.ts';
import { tokens } from './statement.ts';

/** `system.processes` with the callers' query ids and texts instead of chDB's. */
const PROCESSES =
  `(SELECT * REPLACE (${QUERY_ID_SQL} AS query_id, ${QUERY_ID_SQL} AS initial_query_id, ${QUERY_SQL} AS query) ` +
  `FROM (SELECT * FROM system.processes))`;

/** Lets `SELECT … FROM system.processes` speak of the ids that callers chose. */
export function readingOwnIds(sql: string): string {
  if (!/processes/i.test(sql)) return sql;
  return replaceWords(sql, ['SYSTEM', '.', 'PROCESSES'], PROCESSES);
}

/** The same for the condition of `KILL QUERY WHERE …`; null when the statement is another. */
export function killingOwnIds(sql: string): { readonly victims: string; readonly kill: string } | null {
  const [first, second, third] = [...tokens(sql)];
  if (first?.text !== 'KILL' || second?.text !== 'QUERY' || third?.text !== 'WHERE') return null;
  const kill = replaceWords(sql, ['QUERY_ID'], QUERY_ID_SQL);
  const last = [...tokens(kill)].find(({ text, depth }) => depth === 0 && ENDS_CONDITION.has(text));
  const condition = kill.slice(third.end, last?.start);
  return { victims: `SELECT ${QUERY_ID_SQL} AS id FROM system.processes WHERE ${condition}`, kill };
}

const ENDS_CONDITION = new Set(['SYNC', 'ASYNC', 'TEST', 'FORMAT', 'SETTINGS']);

/** Replaces every run of these tokens that touch each other. */
function replaceWords(sql: string, words: readonly string[], replacement: string): string {
  const all = [...tokens(sql)];
  let result = '';
  let copied = 0;
  all.forEach((token, index) => {
    const run = all.slice(index, index + words.length);
    const matches = words.every((word, offset) => run[offset]?.text === word);
    const touches = run.every((part, offset) => offset === 0 || part.start === run[offset - 1]?.end);
    if (!matches || !touches) return;
    result += sql.slice(copied, token.start) + replacement;
    copied = run.at(-1)?.end ?? token.end;
  });
  return result + sql.slice(copied);
}
