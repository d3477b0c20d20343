import { SluiceError } from '../errors/error.ts';
import { type EncodedRows, stampRows } from './rows.ts';
import type { Stamps } from './stamps.ts';
import { createStore, RETRY_AFTER_SECONDS, type StoreLimits, type StorePorts } from './store-rows.ts';

export interface BatcherPorts extends StorePorts {
  readonly stamps: Stamps;
  readonly limits?: Partial<BatcherLimits>;
}

export interface BatcherLimits extends StoreLimits {
  /** The shortest time between two small inserts: each makes a part that ClickHouse must merge. */
  readonly lingerMs: number;
  /** This many rows are worth an insert of their own at once. */
  readonly eagerRows: number;
  /** The most one insert holds; whole requests only, so a larger request goes alone. */
  readonly maxInsertBytes: number;
  /** Waiting and in flight together; more is refused. */
  readonly maxQueueBytes: number;
  readonly maxInFlight: number;
}

const DEFAULTS: BatcherLimits = {
  lingerMs: 50,
  eagerRows: 1000,
  maxInsertBytes: 32 * 1024 * 1024,
  maxQueueBytes: 128 * 1024 * 1024,
  maxInFlight: 2,
  insertTimeoutMs: 60_000,
  retryDelaysMs: [100, 400, 1500],
  repeatWithinMs: null,
};

interface Waiting {
  readonly rows: EncodedRows;
  readonly resolve: () => void;
  readonly reject: (error: SluiceError) => void;
}

/**
 * Gathers the events of all requests into few inserts: at once when nothing is going on, else what
 * came together in 50 ms, or as soon as it is worth an insert. A request's promise resolves only when
 * ClickHouse has stored its rows; all rows of a request are in one insert.
 */
export class Batcher {
  readonly #ports: Pick<BatcherPorts, 'clock' | 'stamps'>;
  readonly #limits: BatcherLimits;
  readonly #store: (body: Buffer, stamp: number) => Promise<void>;
  #waiting: Waiting[] = [];
  #waitingRows = 0;
  #queuedBytes = 0;
  readonly #inFlight = new Set<number>();
  #lastInsertAt = Number.NEGATIVE_INFINITY;
  #timer: AbortController | undefined;
  #scheduled = false;
  #closing = false;
  #drained: (() => void) | undefined;

  constructor(ports: BatcherPorts) {
    this.#ports = ports;
    this.#limits = { ...DEFAULTS, ...ports.limits };
    this.#store = createStore(ports, this.#limits);
  }

  /** Resolves when the rows are stored. Throws `unavailable`: the client should send them again. */
  add(rows: EncodedRows): Promise<void> {
    if (rows.count === 0) return Promise.resolve();
    if (this.#closing) return Promise.reject(new SluiceError('unavailable'));
    if (this.#queuedBytes > 0 && this.#queuedBytes + rows.bytes.length > this.#limits.maxQueueBytes) {
      return Promise.reject(
        new SluiceError('unavailable', {
          detail: 'More events arrive than the warehouse can store; send them again later.',
          retryAfter: RETRY_AFTER_SECONDS,
        }),
      );
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push({ rows, resolve, reject });
    this.#waitingRows += rows.count;
    this.#queuedBytes += rows.bytes.length;
    this.#schedule();
    return promise;
  }

  /**
   * The smallest arrival stamp, milliseconds since the epoch, whose rows are not stored yet; null =
   * none. The arrival watermark must not pass it.
   */
  oldestInFlight(): number | null {
    return this.#inFlight.size === 0 ? null : Math.floor(Math.min(...this.#inFlight) / 1000);
  }

  /** Bytes waiting or in flight. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Takes no more rows and resolves when those it has are stored or refused. */
  async close(): Promise<void> {
    this.#closing = true;
    if (this.#queuedBytes === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#drained = resolve;
    this.#schedule();
    await promise;
  }

  /** Requests that arrive in the same turn of the event loop share an insert even when idle. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#insertWhatIsDue();
    });
  }

  #insertWhatIsDue(): void {
    while (this.#waiting.length > 0 && this.#inFlight.size < this.#limits.maxInFlight) {
      const wait = this.#lastInsertAt + this.#limits.lingerMs - this.#ports.clock.now();
      // A clock that was set back must not make anyone wait for it.
      const lingers = wait > 0 && wait <= this.#limits.lingerMs && this.#waitingRows < this.#limits.eagerRows;
      if (lingers && !this.#closing) {
        this.#wakeIn(wait);
        return;
      }
      this.#begin(this.#take());
    }
  }

  #wakeIn(ms: number): void {
    if (this.#timer) return;
    const timer = new AbortController();
    this.#timer = timer;
    this.#ports.clock.sleep(ms, timer.signal).then(
      () => {
        this.#timer = undefined;
        this.#insertWhatIsDue();
      },
      () => undefined,
    );
  }

  #take(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { rows } of this.#waiting) {
      bytes += rows.bytes.length;
      if (count > 0 && bytes > this.#limits.maxInsertBytes) break;
      count++;
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#waitingRows -= countRows(taken);
    return taken;
  }

  #begin(batch: readonly Waiting[]): void {
    this.#timer?.abort();
    this.#timer = undefined;
    this.#lastInsertAt = this.#ports.clock.now();
    const stamp = this.#ports.stamps.next();
    this.#inFlight.add(stamp);
    const body = stampedBody(batch, stamp);
    this.#store(body, stamp).then(
      () => this.#finish(batch, stamp, body.length),
      (error: SluiceError) => this.#finish(batch, stamp, body.length, error),
    );
  }

  #finish(batch: readonly Waiting[], stamp: number, bytes: number, error?: SluiceError): void {
    this.#inFlight.delete(stamp);
    this.#queuedBytes -= bytes;
    for (const { resolve, reject } of batch) error ? reject(error) : resolve();
    if (this.#waiting.length > 0) this.#schedule();
    else if (this.#queuedBytes === 0) this.#drained?.();
  }
}

function stampedBody(batch: readonly Waiting[], stamp: number): Buffer {
  const body = Buffer.concat(batch.map(({ rows }) => rows.bytes));
  let base = 0;
  for (const { rows } of batch) {
    stampRows(body, base, rows, stamp);
    base += rows.bytes.length;
  }
  return body;
}

function countRows(batch: readonly Waiting[]): number {
  return batch.reduce((sum, { rows }) => sum + rows.count, 0);
}
