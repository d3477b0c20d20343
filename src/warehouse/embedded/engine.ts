import { Session } from 'chdb';
import { EngineError, toEngineError, unknownSetting } from './engine-error.ts';

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

/** Unlike a server, chDB by default reads `1 + 2` as a query. */
const LIKE_A_SERVER = ['--implicit_select=0'];
/** Halves the longest wait for a kill to be noticed, up to this. */
const LONGEST_KILL_PAUSE_MS = 200;

/**
 * chDB on one folder. A session runs one query at a time and keeps its settings, so every query gets
 * its own: opening, running `SELECT 1` and closing takes 0.8 ms, and nothing leaks from one to the next
 * (memory is flat over 4,000 sessions). The first session stays open and keeps the engine alive.
 */
export class Engine {
  readonly #path: string;
  readonly #keeper: Session;
  readonly #onFatal: () => void;

  /** `onFatal` is told when the engine has shut itself down; only a new process can help then. */
  constructor(options: EngineOptions, onFatal: () => void) {
    this.#path = options.path;
    this.#onFatal = onFatal;
    this.#keeper = new Session(options.path, {
      connectionArgs: [
        ...LIKE_A_SERVER,
        `--max_server_memory_usage=${options.memory}`,
        `--mark_cache_size=${Math.floor(options.memory / 16)}`,
        '--async_load_databases=0',
      ],
    });
  }

  /** Runs one statement to its end. Throws EngineError. */
  async run(sql: string, format: string, context: Context): Promise<Result> {
    const session = new Session(this.#path, { connectionArgs: LIKE_A_SERVER });
    try {
      if (context.database !== 'default') await session.queryAsync(`USE ${quoteName(context.database)}`);
      const assignments = assign(context);
      if (assignments) await session.queryAsync(`SET ${assignments}`);
      const result = await session.queryAsync(`${mark(context.queryId)}${sql}`, { format });
      return {
        body: Buffer.from(result.bytes()),
        rowsRead: result.rowsRead,
        bytesRead: result.bytesRead,
        seconds: result.elapsed,
      };
    } catch (error) {
      const failure = toEngineError(error);
      if (failure.code === ABORTED) this.#onFatal();
      throw failure;
    } finally {
      session.close();
    }
  }

  /** Stops a query, also one that has not quite started; returns when `settled` does. */
  async stop(queryId: string, settled: Promise<unknown>): Promise<void> {
    let running = true;
    const over = settled.then(
      () => {
        running = false;
      },
      () => {
        running = false;
      },
    );
    const session = new Session(this.#path);
    try {
      for (let pause = 5; running; pause = Math.min(pause * 2, LONGEST_KILL_PAUSE_MS)) {
        const where = `startsWith(query, ${quote(mark(queryId))})`;
        await session.queryAsync(`KILL QUERY WHERE ${where} ASYNC`).catch(() => {});
        await Promise.race([over, new Promise((resolve) => setTimeout(resolve, pause))]);
      }
    } finally {
      session.close();
    }
  }

  close(): void {
    this.#keeper.close();
  }
}

const ABORTED = 236;

/**
 * chDB invents query ids of its own, so the caller's travels in a comment in front of the query, which
 * `system.processes` shows. Hex keeps any id from ending the comment.
 */
const mark = (queryId: string): string => `/*query_id:${Buffer.from(queryId).toString('hex')}*/ `;

/** SQL that reads the caller's query id back from the column `query`. */
export const QUERY_ID_SQL = "unhex(extract(query, '^/\\\\*query_id:([0-9a-f]*)\\\\*/'))";
/** SQL for the text as the caller sent it. */
export const QUERY_SQL = "replaceRegexpOne(query, '^/\\\\*query_id:[0-9a-f]*\\\\*/ ', '')";

function assign(context: Context): string {
  const list = [...context.settings].map(([name, value]) => {
    if (!/^\w+$/.test(name)) throw unknownSetting(name);
    return `${name} = ${quote(value)}`;
  });
  for (const [name, value] of context.params) {
    if (!/^\w+$/.test(name))
      throw new EngineError(36, 'BAD_ARGUMENTS', 'A parameter has an impossible name.');
    list.push(`param_${name} = ${quote(value)}`);
  }
  if (context.readonly) list.push('readonly = 2');
  return list.join(', ');
}

export function quote(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}
