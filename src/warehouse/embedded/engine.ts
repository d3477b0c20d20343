import { quote, quoteName } from '../quoting.ts';
import { toEngineError, unknownSetting } from './engine-error.ts';
import { carries, mark } from './query-mark.ts';
import { type PooledSession, Sessions } from './sessions.ts';
import { bindParameters } from './sql-text.ts';
import { tokens } from './statement.ts';

/** What a request asks for besides its text. */
export interface Context {
  readonly queryId: string;
  readonly database: string;
  readonly settings: ReadonlyMap<string, string>;
  /** Values of `{name:Type}` placeholders, escaped as ClickHouse's HTTP interface expects them. */
  readonly params: ReadonlyMap<string, string>;
  readonly readonly: boolean;
}

export interface Result {
  readonly body: Buffer;
  readonly rowsRead: number;
  readonly bytesRead: number;
  readonly seconds: number;
}

export interface EngineOptions {
  readonly path: string;
  /** Bytes for the whole engine. */
  readonly memory: number;
}

/** The longest wait between two attempts to stop a query. */
const LONGEST_KILL_PAUSE_MS = 200;
/** Characters that fit into ClickHouse's own `max_query_size` (262,144 bytes) however many bytes each takes. */
const USUAL_QUERY_SIZE = 60_000;
/** ABORTED: the engine has shut itself down. */
const ABORTED = 236;

/** chDB on one folder. */
export class Engine {
  readonly #sessions: Sessions;
  readonly #onFatal: () => void;

  /** `onFatal` is told when the engine has shut itself down; only a new process can help then. */
  constructor(options: EngineOptions, onFatal: () => void) {
    this.#onFatal = onFatal;
    this.#sessions = new Sessions(options.path, [
      `--max_server_memory_usage=${options.memory}`,
      `--mark_cache_size=${Math.floor(options.memory / 16)}`,
      '--async_load_databases=0',
    ]);
  }

  /** Runs one statement to its end, as if on a fresh session. Throws EngineError. */
  async run(sql: string, format: string, context: Context): Promise<Result> {
    const pooled = this.#sessions.take();
    const bound = bindParameters(sql, context.params);
    try {
      await prepare(pooled, marked(context, bound.values), bound.values);
      const result = await pooled.session.queryAsync(`${mark(context.queryId)}${bound.sql}`, { format });
      return {
        body: Buffer.from(result.bytes()),
        rowsRead: result.rowsRead,
        bytesRead: result.bytesRead,
        seconds: result.elapsed,
      };
    } catch (error) {
      const failure = toEngineError(error);
      await letGo(pooled);
      if (failure.code === ABORTED) this.#onFatal();
      throw failure;
    } finally {
      if (!pooled.usable || leavesTraces(sql)) this.#sessions.discard(pooled);
      else this.#sessions.giveBack(pooled);
    }
  }

  /** Stops a query, also one that has not quite started; resolves when `settled` has. */
  async stop(queryId: string, settled: Promise<unknown>): Promise<void> {
    let running = true;
    const over = settled
      .catch(() => {})
      .then(() => {
        running = false;
      });
    const kill = `KILL QUERY WHERE ${carries(quote(mark(queryId)))} ASYNC`;
    for (let pause = 5; running; pause = Math.min(pause * 2, LONGEST_KILL_PAUSE_MS)) {
      await this.run(kill, 'Null', { ...NOTHING_SPECIAL, queryId: `kill ${queryId}` }).catch(() => {});
      await Promise.race([over, new Promise((resolve) => setTimeout(resolve, pause))]);
    }
  }

  /**
   * Resolves when the engine answers anything, an error too. However many queries run: they leave threads and
   * sessions to others (`SPARE_THREADS`).
   */
  async answer(): Promise<void> {
    await this.run('SELECT 1', 'Null', { ...NOTHING_SPECIAL, queryId: 'alive' }).catch(() => {});
  }

  close(): void {
    this.#sessions.close();
  }
}

const NOTHING_SPECIAL = { database: 'default', settings: new Map(), params: new Map(), readonly: false };

/** With values to bind, the comment in front of the query is lost. */
function marked(context: Context, values: readonly string[]): Context {
  if (values.length === 0) return context;
  const comment = mark(context.queryId) + (context.settings.get('log_comment') ?? '');
  return { ...context, settings: new Map([...context.settings, ['log_comment', comment]]) };
}

/** Brings a session to the state the query asks for, whatever the one before left in it. */
async function prepare(pooled: PooledSession, context: Context, values: readonly string[]): Promise<void> {
  const wanted = new Map(context.settings);
  if (context.readonly) wanted.set('readonly', '2');
  for (const name of wanted.keys()) if (!/^\w+$/.test(name)) throw unknownSetting(name);
  await restore(
    pooled,
    [...pooled.changed].filter((name) => !wanted.has(name)),
  );
  if (pooled.database !== context.database) {
    await pooled.session.queryAsync(`USE ${quoteName(context.database)}`);
    pooled.database = context.database;
  }
  const assignments = [...[...wanted].map(([name, value]) => `${name} = ${quote(value)}`), ...values];
  if (assignments.length === 0) return;
  for (const name of wanted.keys()) pooled.changed.add(name);
  try {
    const set = `SET ${assignments.join(', ')}`;
    const most = wanted.get('max_query_size');
    // Long values of parameters: the statement itself is read under the limit that it is about to change.
    if (set.length > USUAL_QUERY_SIZE && most) {
      await pooled.session.queryAsync(`SET max_query_size = ${quote(most)}`);
    }
    await pooled.session.queryAsync(set);
  } catch (error) {
    pooled.usable = false; // some of them may have taken effect
    throw error;
  }
}

async function restore(pooled: PooledSession, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  pooled.usable = false;
  await pooled.session.queryAsync(`SET ${names.map((name) => `${name} = DEFAULT`).join(', ')}`);
  pooled.usable = true;
  for (const name of names) pooled.changed.delete(name);
}

/**
 * A query that was stopped stays in `system.processes` until its session runs another. The other must not carry its mark,
 * which the session's `log_comment` may hold: a kill still on its way would hit it in turn.
 */
async function letGo(pooled: PooledSession): Promise<void> {
  await pooled.session.queryAsync("SELECT 1 SETTINGS log_comment = ''", { format: 'Null' }).catch(() => {
    pooled.usable = false;
  });
}

/** Statements that change the session itself, which no later query may see. */
function leavesTraces(sql: string): boolean {
  const [first, second] = [...take(tokens(sql), 2)];
  return first?.text === 'SET' || first?.text === 'USE' || second?.text === 'TEMPORARY';
}

function* take<Item>(items: Iterable<Item>, count: number): Generator<Item> {
  let taken = 0;
  for (const item of items) {
    yield item;
    if (++taken === count) return;
  }
}
