import { pipeline, Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';

/** Of RFC 8878: how a frame begins, and one that is to be skipped. The last digit of the latter is free. */
const FRAME = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const RLE = 1;

export const isZstd = (head: Buffer): boolean =>
  isFrame(head.readUInt32LE(0)) || isSkippable(head.readUInt32LE(0));

const isFrame = (magic: number): boolean => magic === FRAME;
const isSkippable = (magic: number): boolean => (magic & 0xfffffff0) === SKIPPABLE;

/**
 * What all frames of a Zstandard file hold, one after the other: `cat`, pzstd and writers that append make several. Node's own
 * decompressor ends in silence at the end of the first, so each gets one to itself. Throws when the file is damaged, cut off or
 * has something else behind its last frame.
 */
export async function* unpackZstd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const input = new ByteQueue(source);
  try {
    while (await input.has(1)) {
      const head = await input.take(4);
      const magic = head.readUInt32LE(0);
      if (isSkippable(magic)) await input.skip((await input.take(4)).readUInt32LE(0));
      else if (isFrame(magic)) {
        // Errors of either end the second, which is read here.
        yield* pipeline(Readable.from(frame(head, input)), createZstdDecompress(), () => undefined);
      } else throw new Error('There is something that is no Zstandard frame.');
    }
  } finally {
    await input.close();
  }
}

/** The bytes of one frame, block by block: nothing else says where it ends. */
async function* frame(magic: Buffer, input: ByteQueue): AsyncGenerator<Buffer> {
  yield magic;
  const descriptor = await input.take(1);
  const flags = descriptor[0] ?? 0;
  yield descriptor;
  yield await input.take(headerBytes(flags));
  for (let last = false; !last; ) {
    const header = await input.take(3);
    const bits = header.readUIntLE(0, 3);
    last = (bits & 1) === 1;
    const size = bits >> 3;
    yield header;
    yield await input.take(((bits >> 1) & 3) === RLE ? 1 : size);
  }
  if (flags & 4) yield await input.take(4);
}

/** Window, dictionary and size of the content, as far as they are there. */
function headerBytes(flags: number): number {
  const single = (flags >> 5) & 1;
  const dictionary = [0, 1, 2, 4][flags & 3] ?? 0;
  const content = [single, 2, 4, 8][flags >> 6] ?? 0;
  return 1 - single + dictionary + content;
}

/** Bytes of a stream by number. */
class ByteQueue {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer[] = [];
  #bytes = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]();
  }

  async has(count: number): Promise<boolean> {
    while (this.#bytes < count) {
      const { done, value } = await this.#chunks.next();
      if (done) return false;
      this.#held.push(value);
      this.#bytes += value.length;
    }
    return true;
  }

  /** Throws when there are fewer. */
  async take(count: number): Promise<Buffer> {
    if (!(await this.has(count))) throw new Error('The file is cut off.');
    const all = this.#held.length === 1 && this.#held[0] ? this.#held[0] : Buffer.concat(this.#held);
    this.#held = [all.subarray(count)];
    this.#bytes -= count;
    return all.subarray(0, count);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      if (!(await this.has(1))) throw new Error('The file is cut off.');
      const now = Math.min(left, this.#bytes);
      await this.take(now);
      left -= now;
    }
  }
}
