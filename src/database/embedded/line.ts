import type { Worker } from 'node:worker_threads';
import type { SluiceError } from '../../errors/error.ts';
import { isOutage, unavailable } from '../outage.ts';
import type { Message, Request, SqlFailure } from './protocol.ts';

export type Operation = Request extends infer R ? (R extends Request ? Omit<R, 'id'> : never) : never;

/** A silence is counted in so many turns. */
const TURNS = 10;

/** One thread and the requests that it has not answered. */
export interface Line {
  ask(operation: Operation): Promise<unknown>;
  /** Ends the thread without a word to `onLost`. */
  end(): Promise<void>;
}

/**
 * Errors of Postgres are thrown with their SQLSTATE in `code`; `database_unavailable` for those that pass by themselves and once
 * the thread has ended. It is ended, and `onLost` told, when Postgres in it cannot go on, and when it owes an answer and says
 * nothing for `silentMs`, unless `isPatient`.
 */
export function openLine(
  worker: Worker,
  silentMs: number,
  notify: (channel: string, payload: string) => void,
  onLost: (error: Error) => void,
  isPatient: () => boolean,
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
    silentTurns = waiting.size === 0 || isPatient() ? 0 : silentTurns + 1;
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
    const fatal = isFatal(message.error);
    one?.reject(fatal || isOutage(error) ? unavailable(error) : error);
    if (fatal) giveUp(error);
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

/**
 * After its PANIC Postgres would end the process; PGlite goes on, holding its locks, and the next statement waits for
 * them for ever.
 */
const isFatal = ({ severity }: SqlFailure): boolean => severity === 'PANIC' || severity === 'FATAL';
