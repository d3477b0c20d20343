import { SluiceError } from '../../errors/error.ts';
import type { Client, ReadRequest, SentRequest } from '../reader.ts';

export interface Waiting extends PromiseWithResolvers<ReadRequest> {
  readonly request: SentRequest;
  readonly bytes: number;
}

const RETRY_AFTER_SECONDS = 5;

/** Requests that wait for a thread, first come first served. */
export class WaitingLine {
  readonly #mostBytes: number;
  readonly #waiting = new Set<Waiting>();
  #bytes = 0;

  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /**
   * Settles as whoever takes the request says. Rejects with `unavailable` when too much waits already, or as soon as the client
   * has gone: nobody is left to read it for.
   */
  async join(request: SentRequest, bytes: number, client?: Client): Promise<ReadRequest> {
    if (this.#bytes > 0 && this.#bytes + bytes > this.#mostBytes) {
      throw new SluiceError('unavailable', {
        detail: 'More events arrive than can be read; send them again later.',
        retryAfter: RETRY_AFTER_SECONDS,
      });
    }
    const one = { request, bytes, ...Promise.withResolvers<ReadRequest>() };
    this.#waiting.add(one);
    this.#bytes += bytes;
    const gone = client?.signal;
    const leave = () => {
      if (this.#remove(one)) one.reject(new SluiceError('unavailable'));
    };
    if (gone?.aborted) leave();
    else gone?.addEventListener('abort', leave, { once: true });
    return await one.promise;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** The one that has waited longest. */
  take(): Waiting | undefined {
    const [first] = this.#waiting;
    if (first) this.#remove(first);
    return first;
  }

  /** Sends all away: `unavailable`. */
  close(): void {
    for (let one = this.take(); one; one = this.take()) one.reject(new SluiceError('unavailable'));
  }

  #remove(one: Waiting): boolean {
    if (!this.#waiting.delete(one)) return false;
    this.#bytes -= one.bytes;
    return true;
  }
}
