import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { SluiceError } from '../../errors/error.ts';
import { systemClock } from '../../work/clock.ts';
import { compileCache } from '../../work/compile-cache.ts';
import { ALIVE, QUERIES_AT_ONCE, SPARE_THREADS, type StartedMessage, type StartMessage } from './protocol.ts';
import { watchOver } from './watchdog.ts';

export interface SupervisorLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface KeptRunning {
  readonly port: number;
  stop(): Promise<void>;
}

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A child that ran this long was healthy: the next restart is quick again. */
const HEALTHY_MS = 60_000;
/** The child needs at most 5 s to stop by itself. */
const LONGEST_STOP_MS = 6_000;

/**
 * A tenth for each question. With all its 64 queries computing for three minutes on two cores the engine never left ten
 * questions of 0.3 s in a row without an answer: what has hung for so long would hang for ever.
 */
const HUNG_AFTER_MS = 300_000;

/**
 * Starts the child and starts it again, on the same port, whenever it ends without being asked to. One that gives no
 * sign of life for `hungAfterMs` is ended, also while it starts again; each time after that it is given twice as long, since a large
 * warehouse may need it. The first start takes as long as it takes.
 */
export async function keepRunning(
  options: StartMessage,
  log: SupervisorLog,
  hungAfterMs = HUNG_AFTER_MS,
  spawn: Spawn = spawnChild,
): Promise<KeptRunning> {
  const first = await untilReady(begin(spawn, options, log));
  const supervisor = new Supervisor({ ...options, port: first.port }, log, hungAfterMs, spawn);
  supervisor.watch(first.child);
  return { port: first.port, stop: () => supervisor.stop() };
}

class Supervisor {
  readonly #options: StartMessage;
  readonly #log: SupervisorLog;
  readonly #hungAfterMs: number;
  readonly #spawn: Spawn;
  #child: ChildProcess | undefined;
  /** The one that is not ready yet. */
  #beginning: ChildProcess | undefined;
  #stopping = false;
  #startMs: number;
  #pauseMs = FIRST_PAUSE_MS;
  #timer: NodeJS.Timeout | undefined;
  #starting: Promise<void> = Promise.resolve();

  constructor(options: StartMessage, log: SupervisorLog, hungAfterMs: number, spawn: Spawn) {
    this.#options = options;
    this.#log = log;
    this.#hungAfterMs = hungAfterMs;
    this.#spawn = spawn;
    this.#startMs = hungAfterMs;
  }

  watch(child: ChildProcess): void {
    this.#child = child;
    const since = Date.now();
    const gone = new AbortController();
    void watchOver(
      {
        clock: systemClock,
        ask: signsOfLife(child),
        onHung: () => {
          this.#log.warn({ pid: child.pid }, 'the warehouse gives no answer any more; ending it');
          child.kill('SIGKILL');
        },
        hungAfterMs: this.#hungAfterMs,
      },
      gone.signal,
    );
    child.once('exit', (status, signal) => {
      gone.abort();
      if (this.#stopping) return;
      if (Date.now() - since > HEALTHY_MS) this.#pauseMs = FIRST_PAUSE_MS;
      this.#log.warn(
        { pid: child.pid, status, signal, pauseMs: this.#pauseMs },
        'the warehouse ended; restarting',
      );
      this.#later();
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    this.#beginning?.kill('SIGKILL');
    await this.#starting;
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const giveUp = setTimeout(() => child.kill('SIGKILL'), LONGEST_STOP_MS);
    await gone;
    clearTimeout(giveUp);
  }

  #later(): void {
    this.#timer = setTimeout(() => {
      this.#starting = this.#restart();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  async #restart(): Promise<void> {
    let hung: NodeJS.Timeout | undefined;
    try {
      const child = begin(this.#spawn, this.#options, this.#log);
      this.#beginning = child;
      hung = setTimeout(() => {
        this.#log.warn({ pid: child.pid, ms: this.#startMs }, 'the warehouse does not get ready; ending it');
        this.#startMs *= 2;
        child.kill('SIGKILL');
      }, this.#startMs);
      await untilReady(child);
      this.#log.info({ pid: child.pid, port: this.#options.port }, 'the warehouse is running again');
      this.#startMs = this.#hungAfterMs;
      this.watch(child);
    } catch (error) {
      if (this.#stopping) return;
      this.#log.warn({ reason: (error as Error).message }, 'the warehouse did not start');
      this.#later();
    } finally {
      clearTimeout(hung);
      this.#beginning = undefined;
    }
  }
}

/** Asks the child; resolves with its next message, of which there is none but its answers. */
function signsOfLife(child: ChildProcess): () => Promise<void> {
  let next: Promise<void> | undefined;
  return () => {
    // One that has ended is noticed by its end.
    if (child.connected) child.send(ALIVE, () => {});
    next ??= once(child, 'message').then(() => {
      next = undefined;
    });
    return next;
  };
}

/** Makes the process, which waits to be told what to run. */
export type Spawn = () => ChildProcess;

const spawnChild: Spawn = () =>
  fork(CHILD, [], {
    execArgv: [],
    env: {
      ...process.env,
      ...compileCache(),
      TZ: 'UTC',
      UV_THREADPOOL_SIZE: String(QUERIES_AT_ONCE + SPARE_THREADS),
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });

function begin(spawn: Spawn, options: StartMessage, log: SupervisorLog): ChildProcess {
  const child = spawn();
  child.stderr
    ?.setEncoding('utf8')
    .on('data', (text: string) => log.warn({ pid: child.pid, text }, 'warehouse'));
  child.send(options);
  return child;
}

/** Throws what kept it from starting. */
async function untilReady(child: ChildProcess): Promise<{ child: ChildProcess; port: number }> {
  const started = await Promise.race([
    once(child, 'message').then(([message]) => message as StartedMessage),
    once(child, 'exit').then(
      (): StartedMessage => ({
        state: 'failed',
        code: 'warehouse_unavailable',
        detail: 'The embedded warehouse ended while starting.',
      }),
    ),
  ]);
  if (started.state === 'ready') return { child, port: started.port };
  throw new SluiceError(started.code, { detail: started.detail });
}
