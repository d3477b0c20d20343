import type { S3Client } from '@aws-sdk/client-s3';
import { SluiceError } from '../../../errors/error.ts';
import type { DestinationPorts } from '../destination.ts';
import { type Connection, clientOf, nameOf } from './connection.ts';
import { backoffMs, deadlineMs, type Limits } from './limits.ts';
import { type Failure, failureOf, type Verdict, verdictOf } from './verdict.ts';

/** What every part of this destination needs to talk to its bucket. */
export interface Calls {
  readonly connection: Connection;
  readonly limits: Limits;
  readonly ports: DestinationPorts;
  readonly client: S3Client;
  /**
   * One request, repeated while that makes sense. `what` names it for a person; `bytes` is what it moves,
   * for the deadline. Throws a `destination_*` SluiceError, or the signal's reason.
   */
  run<T>(order: CallOrder, request: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

export interface CallOrder {
  readonly what: string;
  readonly bytes?: number;
  readonly signal?: AbortSignal | undefined;
  /** Codes that are answers, not failures: they pass as `AnsweredWith`. */
  readonly answers?: readonly string[] | typeof REFUSALS;
  /** Codes that are tried again here, though they end other requests. */
  readonly again?: readonly string[];
}

/** Each answer that is not worth another try: stores have words of their own for what they do not do or allow. */
export const REFUSALS = 'refusals';

/** The store said something the caller asked about, such as NoSuchUpload. */
export class AnsweredWith extends Error {
  override readonly name = 'AnsweredWith';
  readonly code: string;
  /** The store's own. */
  readonly words: string;

  constructor({ code, message }: Pick<Failure, 'code' | 'message'>) {
    super(code);
    this.code = code;
    this.words = message;
  }
}

/** Not the store's fault and not its answer: our own check of what it answered failed. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';
}

/** Slower than the limits allow. */
class Stalled extends Error {
  override readonly name = 'RequestStalled';
}

/** Opens the client. Nothing is sent yet. */
export function callsTo(connection: Connection, ports: DestinationPorts, limits: Limits): Calls {
  const client = clientOf(connection, limits, ports.lookup);
  return { connection, limits, ports, client, run: (order, request) => run(order, request) };

  async function run<T>(order: CallOrder, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    let skewed = false;
    for (let attempt = 1; ; attempt++) {
      order.signal?.throwIfAborted();
      try {
        return await once(order, request);
      } catch (error) {
        order.signal?.throwIfAborted();
        if (error instanceof SluiceError || isOurs(error)) throw error;
        const failure = failureOf(error);
        const verdict = verdictFor(order, failure);
        if (isAnswer(order, failure, verdict)) throw new AnsweredWith(failure);
        const skewedAgain = failure.code === 'RequestTimeTooSkewed' && skewed;
        if (!verdict.retry || skewedAgain || attempt >= limits.attempts) {
          throw final(order, failure, error, attempt);
        }
        skewed ||= failure.code === 'RequestTimeTooSkewed';
        const waitMs = backoffMs(limits, attempt, ports.random);
        ports.onRetry({
          what: `${order.what} (${reasonOf(failure, error)})`,
          attempt,
          waitMs,
          error: shortened(failure),
        });
        await ports.clock.sleep(waitMs, order.signal);
      }
    }
  }

  async function once<T>(order: CallOrder, request: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const late = new AbortController();
    // Real time, whatever the clock of the run: this is about the wire.
    const timer = setTimeout(() => late.abort(), deadlineMs(limits, order.bytes ?? 0));
    try {
      return await request(order.signal ? AbortSignal.any([order.signal, late.signal]) : late.signal);
    } catch (error) {
      if (late.signal.aborted) throw new Stalled();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  function final(order: CallOrder, failure: Failure, error: unknown, attempts: number): SluiceError {
    const verdict = verdictFor(order, failure);
    const place = `${order.what} in ${nameOf(connection)}`;
    const reason = reasonOf(failure, error);
    const cause = shortened(failure);
    if (!verdict.retry) {
      const words = failure.message ? `: ${failure.message}` : '';
      return new SluiceError(verdict.code, { detail: `${place} was refused with ${reason}${words}`, cause });
    }
    const code = error instanceof WrongAnswer ? 'verification_failed' : 'destination_unavailable';
    return new SluiceError(code, {
      detail: `${place} failed ${attempts} times, last with ${reason}.`,
      cause,
    });
  }
}

const verdictFor = ({ again = [] }: CallOrder, failure: Failure): Verdict =>
  again.includes(failure.code) ? { retry: true } : verdictOf(failure);

function isAnswer({ answers }: CallOrder, { code, status }: Failure, { retry }: Verdict): boolean {
  return answers === REFUSALS ? !retry && status !== null : answers?.includes(code) === true;
}

/** A mistake in our code must not look like a store that is away. */
function isOurs(error: unknown): boolean {
  const kinds = [TypeError, RangeError, ReferenceError];
  if (!kinds.some((kind) => error instanceof kind)) return false;
  return !['$response', '$metadata', 'code'].some((name) => name in (error as Error));
}

function reasonOf(failure: Failure, error: unknown): string {
  if (error instanceof WrongAnswer) return error.message;
  return failure.status === null ? failure.code : `${failure.code} (HTTP ${failure.status})`;
}

/** The SDK's errors carry the answer's fields, key ids and signatures among them: none of that goes on. */
function shortened(failure: Failure): Error {
  const short = new Error(failure.message || failure.code);
  short.name = failure.code;
  return short;
}
