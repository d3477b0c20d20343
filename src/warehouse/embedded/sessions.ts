import { Session } from 'chdb';

/** One chDB session and what earlier queries left in it. */
export interface PooledSession {
  readonly session: Session;
  database: string;
  /** Settings that differ from the defaults. */
  readonly changed: Set<string>;
  /** False once nobody knows what state it is in. */
  usable: boolean;
}

/** Unlike a server, chDB by default reads `1 + 2` as a query. */
const LIKE_A_SERVER = ['--implicit_select=0'];

/**
 * Sessions on one folder. A session runs one query at a time, so each running query has its own; they are
 * kept, because chDB puts off closing any session until no query of the process is running, and holds
 * ever more memory meanwhile (measured: the 4 GB heap was full after three minutes of short queries
 * beside a long one).
 */
export class Sessions {
  readonly #path: string;
  readonly #all = new Set<Session>();
  readonly #idle: PooledSession[] = [];

  /** `engineArguments` are server settings of the engine, in clickhouse-local's form. */
  constructor(path: string, engineArguments: readonly string[]) {
    this.#path = path;
    // The first session carries the engine's settings and, never closed, keeps the engine alive.
    this.#idle.push(this.#open(engineArguments));
  }

  take(): PooledSession {
    return this.#idle.pop() ?? this.#open([]);
  }

  giveBack(session: PooledSession): void {
    this.#idle.push(session);
  }

  /** For a session that later queries must not see. */
  discard({ session }: PooledSession): void {
    if (this.#all.size > 1) {
      this.#all.delete(session);
      session.close();
    }
  }

  close(): void {
    for (const session of this.#all) session.close();
  }

  #open(engineArguments: readonly string[]): PooledSession {
    const session = new Session(this.#path, { connectionArgs: [...LIKE_A_SERVER, ...engineArguments] });
    this.#all.add(session);
    return { session, database: 'default', changed: new Set(), usable: true };
  }
}
