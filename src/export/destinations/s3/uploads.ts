import type { Slot, Staged } from '../destination.ts';
import { receiptOf } from './receipt.ts';

/** The uploads that were begun through one target, and which of them are known to be over: completed or taken back. */
export class Uploads {
  readonly #begun = new Map<string, Slot>();
  readonly #over = new Set<string>();
  #asked = 0;

  /** A request to begin one; without an answer it may have begun one all the same. */
  asked(): void {
    this.#asked++;
  }

  began(uploadId: string, slot: Slot): void {
    this.#begun.set(uploadId, slot);
  }

  over(staged: Staged): void {
    this.#over.add(receiptOf(staged).uploadId);
  }

  /** The id and key of each. */
  *all(): Generator<readonly [uploadId: string, key: string]> {
    for (const [uploadId, { key }] of this.#begun) yield [uploadId, key];
  }

  /** Whether the store may hold uploads of the run's keys: always, unless all were begun here by its first attempt and are over. */
  mayBeLeft(): boolean {
    const begun = [...this.#begun];
    if (begun.length === 0 || this.#asked !== begun.length) return true;
    return begun.some(([uploadId, { attempt }]) => attempt > 1 || !this.#over.has(uploadId));
  }
}
