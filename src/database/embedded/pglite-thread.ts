import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors/error.ts';
import { compileCache } from '../../work/compile-cache.ts';
import { type Line, openLine } from './line.ts';
import { JSON_TYPES, type RawResult, type ThreadOptions } from './protocol.ts';

export interface SqlResult<Row = Record<string, unknown>> {
  readonly rows: Row[];
  readonly affectedRows?: number | undefined;
}

export interface SqlTransaction {
  query<Row>(sql: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>>;
  /** Resolves when it is over. */
  end(how: 'commit' | 'rollback'): Promise<void>;
}

/**
 * PGlite in a thread of its own: Postgres' work and the reading of its answers take none of the time of the thread that
 * serves the API. Every method throws Postgres' errors with their SQLSTATE in `code`, and `database_unavailable` for those that
 * pass by themselves (a full disk), when it cannot be opened, and when the thread ended meanwhile: what was asked may
 * have happened or not, as with a lost connection. The next call starts a new thread, which finds every commit.
 */
export interface PgliteThread {
  query<Row>(sql: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>>;
  /** Any number of statements, without parameters. */
  exec(sql: string): Promise<SqlResult[]>;
  /** Everybody else waits until it ends. */
  begin(): Promise<SqlTransaction>;
  /** Resolves with the way to stop. Listeners outlive the thread. */
  listen(channel: string, listener: (payload: string) => void): Promise<() => Promise<void>>;
  /** What takes long meanwhile is not taken for a thread that does not answer any more. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  /** Throws what kept it from being closed in order; it is closed all the same, and the next opening finds every commit. */
  close(): Promise<void>;
}

/** For tests that end the thread, or do not want to wait. */
export interface ThreadWays {
  readonly spawn?: (options: ThreadOptions) => Worker;
  /** Milliseconds after which a thread that owes answers and gives none is ended. */
  readonly silentMs?: number;
  /** Milliseconds from a failed opening to the next; opening is most of a second's work. */
  readonly reopenMs?: number;
}

/** Longer than any statement but those of a migration. */
const SILENT_MS = 600_000;
const REOPEN_MS = 1_000;

/**
 * Opens the database in `folder`, which PGlite makes when it is not there. Throws `database_unavailable` when it cannot
 * be opened. `onLost` is told when the thread ended by itself, or was ended because Postgres in it cannot go on.
 */
export async function openPgliteThread(
  folder: string,
  onLost: (error: Error) => void = () => {},
  { spawn = spawnThread, silentMs = SILENT_MS, reopenMs = REOPEN_MS }: ThreadWays = {},
): Promise<PgliteThread> {
  const listeners = new Map<string, Set<(payload: string) => void>>();
  const notify = (channel: string, payload: string) => {
    for (const listener of listeners.get(channel) ?? []) listener(payload);
  };
  let current: Promise<Line> | null = null;
  let begun = 0;
  let patient = 0;

  const start = async (): Promise<Line> => {
    const lost = (error: Error) => {
      current = null;
      onLost(error);
    };
    const line = openLine(spawn({ folder }), silentMs, notify, lost, () => patient > 0);
    try {
      await line.ask({ op: 'open' });
      for (const channel of listeners.keys()) await line.ask({ op: 'listen', channel });
      return line;
    } catch (error) {
      await line.end();
      throw unopened(folder, error);
    }
  };
  const connected = (): Promise<Line> => {
    if (current) return current;
    const mine = start();
    current = mine;
    mine.catch(() => {
      const forget = () => {
        if (current === mine) current = null;
      };
      setTimeout(forget, reopenMs).unref();
    });
    return mine;
  };

  await connected();
  return {
    query: async (sql, parameters = []) =>
      shaped(await (await connected()).ask({ op: 'query', sql, parameters })),
    exec: async (sql) => {
      const results = await (await connected()).ask({ op: 'exec', sql });
      return (results as RawResult[]).map((result) => shaped(result));
    },
    begin: async () => {
      const line = await connected();
      const transaction = ++begun;
      // Not waited for: a query costs its way to the thread and back, and the first one brings the failure as well.
      line.ask({ op: 'begin', transaction }).catch(() => {});
      return {
        query: async (sql, parameters = []) =>
          shaped(await line.ask({ op: 'query', sql, parameters, transaction })),
        end: async (how) => void (await line.ask({ op: 'end', transaction, how })),
      };
    },
    listen: async (channel, listener) => {
      const line = await connected();
      const those = listeners.get(channel) ?? new Set();
      listeners.set(channel, those.add(listener));
      if (those.size === 1) await line.ask({ op: 'listen', channel });
      return async () => {
        those.delete(listener);
        if (those.size > 0) return;
        listeners.delete(channel);
        await (await connected()).ask({ op: 'unlisten', channel });
      };
    },
    patiently: async (work) => {
      patient++;
      try {
        return await work();
      } finally {
        patient--;
      }
    },
    close: async () => {
      const line = await current?.catch(() => null);
      if (!line) return;
      try {
        await line.ask({ op: 'close' });
      } finally {
        await line.end();
      }
    },
  };
}

/** The thread of a database, as it is started when nobody says otherwise. */
export const spawnThread = (workerData: ThreadOptions): Worker =>
  new Worker(new URL('./thread.ts', import.meta.url), {
    workerData,
    env: { ...process.env, ...compileCache() },
  });

/** What it writes before it is open. */
const ROOM_TO_OPEN = 1_048_576;

/** PGlite only says that it failed. */
function unopened(folder: string, cause: unknown): SluiceError {
  const { bavail, bsize } = statfsSync(dirname(folder));
  const why = bavail * bsize < ROOM_TO_OPEN ? 'its disk is full; make room on it' : String(cause);
  return new SluiceError('database_unavailable', {
    detail: `The embedded database in ${folder} could not be opened: ${why}.`,
    cause,
  });
}

/** Rows as objects, their JSON read. */
function shaped<Row>(result: unknown): SqlResult<Row> {
  const { fields, rows, affectedRows } = result as RawResult;
  const columns = fields.map(({ name, dataTypeID }) => ({ name, json: JSON_TYPES.includes(dataTypeID) }));
  const objects = rows.map((values) => {
    const row: Record<string, unknown> = {};
    for (const [at, { name, json }] of columns.entries()) {
      const value = values[at];
      row[name] = json && typeof value === 'string' ? JSON.parse(value) : value;
    }
    return row as Row;
  });
  return { rows: objects, affectedRows };
}
