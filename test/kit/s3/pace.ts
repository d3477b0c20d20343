import { setTimeout as sleep } from 'node:timers/promises';

const PIECE = 16_384;

/** The same bytes at `rate` bytes per second. */
export async function* paced(source: AsyncIterable<Buffer>, rate: number): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length; at += PIECE) {
      const piece = chunk.subarray(at, at + PIECE);
      await sleep((piece.length / rate) * 1000);
      yield piece;
    }
  }
}
