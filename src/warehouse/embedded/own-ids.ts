import { QUERY_ID_SQL, QUERY_SQL } from './query-mark.ts';
import { replaceTokens } from './sql-text.ts';
import { type Token, tokens } from './statement.ts';

/** `system.processes` with the callers' query ids and texts instead of chDB's. */
const PROCESSES =
  `(SELECT * REPLACE (${QUERY_ID_SQL} AS query_id, ${QUERY_ID_SQL} AS initial_query_id, ${QUERY_SQL} AS query) ` +
  `FROM (SELECT * FROM system.processes))`;

/** Lets `SELECT … FROM system.processes` speak of the ids that callers chose. */
export function readingOwnIds(sql: string): string {
  if (!/processes/i.test(sql)) return sql;
  return replaceTokens(sql, (all, index) => {
    if (isProcesses(all, index)) return PROCESSES;
    return isProcesses(all, index - 1) || isProcesses(all, index - 2) ? '' : null;
  });
}

function isProcesses(all: readonly Token[], index: number): boolean {
  return ['SYSTEM', '.', 'PROCESSES'].every((text, offset) => all[index + offset]?.text === text);
}

export interface OwnKill {
  /** Selects the ids that the condition picks. */
  readonly victims: string;
  /** `ASYNC` in any case: the engine's own `SYNC` keeps a thread until the victim is off its list, for ever if need be. */
  readonly kill: string;
  /** Whether the caller waits until the victims are gone. */
  readonly sync: boolean;
}

const ENDS_CONDITION = new Set(['SYNC', 'ASYNC', 'TEST', 'FORMAT', 'SETTINGS']);

/** The same for the condition of `KILL QUERY WHERE …`; null when the statement is another. */
export function killingOwnIds(sql: string): OwnKill | null {
  const [first, second, where] = [...tokens(sql)];
  if (first?.text !== 'KILL' || second?.text !== 'QUERY' || where?.text !== 'WHERE') return null;
  const kill = replaceTokens(sql, (all, index) => (all[index]?.text === 'QUERY_ID' ? QUERY_ID_SQL : null));
  const end = [...tokens(kill)].find(({ text, depth }) => depth === 0 && ENDS_CONDITION.has(text));
  const condition = kill.slice(where.end, end?.start);
  const sync = end?.text === 'SYNC';
  return {
    victims: `SELECT ${QUERY_ID_SQL} AS id FROM system.processes WHERE ${condition}`,
    kill: sync ? `${kill.slice(0, end.start)}ASYNC${kill.slice(end.end)}` : kill,
    sync,
  };
}
