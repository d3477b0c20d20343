import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors/error.ts';
import { isOutage, unavailable } from '../outage.ts';
import {
  JSON_TYPES,
  type Message,
  type RawResult,
  type Request,
  type SqlFailure,
  type ThreadOptions,
} from './protocol.ts';

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
 * pass by themselves (a full disk), when it cannot be opened, and when the thread ended meanwhile: what was asked may have happened or not, as with
 * a lost connection. The next call starts a new thread, which finds every commit.
 */
export interface PgliteThread {
  query<Row>(sql: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>>;
  /** Any number of statements, without parameters. */
  exec(sql: string): Promise<SqlResult[]>;
  /** Everybody else waits until it ends. */
  begin(): Promise<SqlTransaction>;
  /** Resolves with the way to stop. Listeners outlive the thread. */
  listen(channel: string, listener: (payload: string) => void): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

type Operation = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** For tests that end the thread, or do not want to wait. */
export interface ThreadWays {
  readonly spawn?: (options: ThreadOptions) => Worker;
  /** Milliseconds after which a thread that owes answers and gives none is ended. */
  readonly silentMs?: number;
  /** Milliseconds from a failed opening to the next; opening is most of a second's work. */
  readonly reopenMs?: number;
}

/** Longer than a migration of the largest tables that PGlite should have. */
const SILENT_MS = 600_000;
const REOPEN_MS = 1_000;

/**
 * Opens the database in `folder`, which PGlite makes when it is not there. Throws `database_unavailable` when it cannot be opened.
 * `onLost` is told when the thread ended by itself, or was ended because Postgres in it cannot go on.
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

  const start = async (): Promise<Line> => {
    const line = openLine(spawn({ folder }), silentMs, notify, (error) => {
      current = null;
      onLost(error);
    });
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
    close: async () => {
      const line = await connected();
      await line.ask({ op: 'close' });
      await line.end();
    },
  };
}

const spawnThread = (workerData: ThreadOptions): Worker =>
  new Worker(new URL('./thread.ts', import.meta.url), { workerData });

/** One thread and the requests that it has not answered. */
interface Line {
  ask(operation: Operation): Promise<unknown>;
  /** Ends the thread without a word to `onLost`. */
  end(): Promise<void>;
}

function openLine(
  worker: Worker,
  silentMs: number,
  notify: (channel: string, payload: string) => void,
  onLost: (error: Error) => void,
): Line {
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let asked = 0;
  let ending = false;
  let lost: SluiceError | null = null;

  const onEnd = (cause: Error) => {
    if (lost) return;
    clearInterval(watch);
    lost = unavailable(cause);
    for (const one of waiting.values()) one.reject(lost);
    waiting.clear();
    if (!ending) onLost(cause);
  };
  const giveUp = (cause: Error) => {
    onEnd(cause);
    void worker.terminate();
  };
  // In turns, which stop with a machine that sleeps.
  let silentTurns = 0;
  const watch = setInterval(() => {
    silentTurns = waiting.size === 0 ? 0 : silentTurns + 1;
    if (silentTurns > TURNS)
      giveUp(new Error(`the embedded database did not answer for ${silentMs / 1000} s`));
  }, silentMs / TURNS).unref();
  worker.on('error', onEnd);
  worker.on('exit', (code) => onEnd(new Error(`the thread of the embedded database ended (${code})`)));
  worker.on('message', (message: Message) => {
    silentTurns = 0;
    if ('channel' in message) return notify(message.channel, message.payload);
    const one = waiting.get(message.id);
    waiting.delete(message.id);
    // Nobody who waits for an answer may be left alone by a process that ends for want of work.
    if (waiting.size === 0) worker.unref();
    if ('value' in message) return one?.resolve(message.value);
    const error = Object.assign(new Error(message.error.message), message.error);
    one?.reject(isFatal(message.error) || isOutage(error) ? unavailable(error) : error);
    if (isFatal(message.error)) giveUp(error);
  });

  const ask = async (operation: Operation): Promise<unknown> => {
    if (lost) throw lost;
    const id = ++asked;
    // First: it throws for a value that cannot be sent, and then nobody waits.
    worker.postMessage({ id, ...operation } as Request);
    if (waiting.size === 0) worker.ref();
    const one = Promise.withResolvers<unknown>();
    waiting.set(id, one);
    return await one.promise;
  };
  return {
    ask,
    end: async () => {
      ending = true;
      await worker.terminate();
    },
  };
}

const TURNS = 10;

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

/** After its PANIC Postgres would end the process; PGlite goes on, holding its locks, and the next statement waits for them for ever. */
const isFatal = ({ severity }: SqlFailure): boolean => severity === 'PANIC' || severity === 'FATAL';

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
