import { type RawBuilder, sql } from 'kysely';
import type { Clock } from '../work/clock.ts';
import type { Db, Trx } from './ports.ts';

export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR';

/** One line of an export's log. `runId` null: about the export, not about one of its runs. */
export interface LogLine {
  readonly teamId: number;
  readonly exportId: string;
  readonly runId: string | null;
  readonly level: LogLevel;
  readonly message: string;
}

const SOURCE = 'batch_exports';
/** 7 parameters a row; far below Postgres's limit of 65,535. */
const BATCH = 500;

/** Writes lines now, in the caller's transaction if it has one. `now` in milliseconds since the epoch. */
export async function appendLog(db: Db | Trx, lines: readonly LogLine[], now: number): Promise<void> {
  await insert(
    db,
    lines.map((line) => ({ ...line, at: now })),
  );
}

async function insert(db: Db | Trx, lines: readonly (LogLine & { at: number })[]): Promise<void> {
  for (let from = 0; from < lines.length; from += BATCH) {
    const rows = lines.slice(from, from + BATCH).map((line) => ({
      team_id: line.teamId,
      log_source: SOURCE,
      log_source_id: line.exportId,
      instance_id: line.runId ?? '',
      timestamp: new Date(line.at),
      level: line.level,
      message: line.message.replaceAll('\0', '').toWellFormed(),
    }));
    await db.insertInto('log_entries').values(rows).execute();
  }
}

/** Collects the lines of running exports and writes them together. */
export interface LogWriter {
  write(line: LogLine): void;
  /** Resolves when everything written so far is stored. Never rejects: a log line must not fail a run. */
  flush(): Promise<void>;
}

/** Long enough to gather a burst, short enough for a person who watches. */
const GATHER_MS = 200;

export function openLogWriter(ports: {
  readonly db: Db;
  readonly clock: Clock;
  /** Told when lines could not be stored; they are lost. */
  readonly onError: (error: unknown) => void;
}): LogWriter {
  let waiting: (LogLine & { at: number })[] = [];
  let storing: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;

  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const lines = waiting;
    waiting = [];
    if (lines.length > 0) storing = storing.then(() => insert(ports.db, lines)).catch(ports.onError);
    return storing;
  };

  return {
    write: (line) => {
      waiting.push({ ...line, at: ports.clock.now() });
      timer ??= setTimeout(flush, GATHER_MS);
    },
    flush,
  };
}

export interface LogFilter {
  readonly teamId: number;
  readonly exportId: string;
  readonly runId?: string | undefined;
  /** Exclusive bounds. */
  readonly after?: Date | undefined;
  readonly before?: Date | undefined;
  /** Upper case; empty = all. */
  readonly levels: readonly string[];
  readonly search?: string | undefined;
  readonly limit: number;
}

export interface LogEntry {
  readonly log_source_id: string;
  readonly instance_id: string;
  readonly timestamp: Date;
  readonly level: string;
  readonly message: string;
}

/** Newest first; lines of the same millisecond in the order they were written, turned round (contract.md §6). */
export async function readLog(db: Db, filter: LogFilter): Promise<LogEntry[]> {
  let query = db
    .selectFrom('log_entries')
    .select(['log_source_id', 'instance_id', 'timestamp', 'level', 'message'])
    .where('team_id', '=', filter.teamId)
    .where('log_source', '=', SOURCE)
    .where('log_source_id', '=', filter.exportId)
    .orderBy('timestamp', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit);
  if (filter.runId !== undefined) query = query.where('instance_id', '=', filter.runId);
  if (filter.after) query = query.where('timestamp', '>', filter.after);
  if (filter.before) query = query.where('timestamp', '<', filter.before);
  if (filter.levels.length > 0) query = query.where('level', 'in', [...filter.levels]);
  if (filter.search) query = query.where(contains(filter.search));
  return query.execute();
}

/** Letters in any case. What has none beyond ASCII is found in two thirds of the time when only those are folded. */
function contains(search: string): RawBuilder<boolean> {
  const pattern = `%${escaped(search)}%`;
  return isAscii(search)
    ? sql<boolean>`message collate "C" ilike ${pattern}`
    : sql<boolean>`message ilike ${pattern}`;
}

const isAscii = (text: string): boolean => Buffer.byteLength(text) === text.length;

/** `%` and `_` stay wildcards; a lone backslash at the end would be an error. */
const escaped = (text: string): string => text.replaceAll('\\', '\\\\');
