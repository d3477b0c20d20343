/** Bytes that may be had at once; whoever finds too few left waits, first come, first served. */
export interface Budget {
  readonly total: number;
  /** Whether so many could be had without a wait. */
  has(bytes: number): boolean;
  /** Returns what gives them back. More than there are in all one caller gets, alone. Rejects when `signal` aborts first. */
  take(bytes: number, signal: AbortSignal): Promise<() => void>;
}

/** For the events of all batches that a process is about to send. A receiver that does not answer must keep no other waiting. */
export interface Memory {
  readonly healthy: Budget;
  /** Of deliveries whose receiver fails. */
  readonly failing: Budget;
}

/** Stored bytes: as texts, lines and archives in the making they are three to four times as many. */
export const createMemory = (): Memory => ({
  healthy: createBudget(64_000_000),
  failing: createBudget(32_000_000),
});

export function createBudget(total: number): Budget {
  const waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  let used = 0;
  const fits = (bytes: number) => used === 0 || used + bytes <= total;
  const admit = () => {
    for (let first = waiting[0]; first && fits(first.bytes); first = waiting[0]) {
      waiting.shift();
      used += first.bytes;
      first.go();
    }
  };
  return {
    total,
    has: (bytes) => waiting.length === 0 && fits(bytes),
    take: (bytes, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const leave = () => {
          waiting.splice(waiting.indexOf(turn), 1);
          reject(signal.reason);
          admit();
        };
        let kept = bytes;
        const giveBack = () => {
          used -= kept;
          kept = 0;
          admit();
        };
        const turn = {
          bytes,
          go: () => {
            signal.removeEventListener('abort', leave);
            resolve(giveBack);
          },
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.push(turn);
        admit();
      }),
  };
}
