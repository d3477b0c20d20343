/**
 * Part buffers, handed out again and again: `budget` bytes of them and two at least, so that one can be
 * filled while the other is sent. Sizes only grow.
 */
export class BufferPool {
  readonly #budget: number;
  #size = 0;
  #out = 0;
  #free: Buffer[] = [];
  #waiting: (() => void)[] = [];

  constructor(budget: number) {
    this.#budget = budget;
  }

  /** Waits for a buffer of `size` bytes; rejects with the signal's reason. */
  async take(size: number, signal: AbortSignal): Promise<Buffer> {
    if (size !== this.#size) {
      this.#size = size;
      this.#free = [];
    }
    while (this.#out >= Math.max(2, Math.floor(this.#budget / size))) await this.#turn(signal);
    signal.throwIfAborted();
    this.#out += 1;
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  give(buffer: Buffer): void {
    this.#out -= 1;
    if (buffer.length === this.#size) this.#free.push(buffer);
    this.#waiting.shift()?.();
  }

  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      this.#waiting.push(() => {
        signal.removeEventListener('abort', stop);
        resolve();
      });
    });
  }
}
