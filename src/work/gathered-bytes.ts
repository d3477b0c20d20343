/**
 * Bytes that come in pieces, in one growing buffer: pieces of a byte each, which whoever sends them may choose, would take two
 * hundred as objects.
 */
export class GatheredBytes {
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(piece: Uint8Array): void {
    const needed = this.#length + piece.length;
    if (needed > this.#buffer.length) {
      // Not of the pool that small buffers share: what is kept of it keeps all of it.
      const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    this.#buffer.set(piece, this.#length);
    this.#length = needed;
  }

  /** All of them, not copied. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }
}
