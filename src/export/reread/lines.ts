import { type Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib';
import type { RereadableFile } from '../destinations/destination.ts';
import { UuidTally } from '../fingerprint.ts';
import type { Codec, Format } from '../formats/format.ts';
import { CHANGED_AT, CHANGED_MARK, LINE_START } from '../formats/jsonlines.ts';
import type { Reread } from './count.ts';

const NEWLINE = 0x0a;
const START = Buffer.from(LINE_START);
/** As much of a line as has to be seen. */
const HEAD = CHANGED_AT + 1;

/**
 * Streams the file, decompresses it and looks at the first bytes of every line, a million rows in about 0.4 s plus
 * decompression. Throws what the destination throws, zlib's errors on damage, and an Error on a line of another shape.
 */
export async function rereadLines(
  file: RereadableFile,
  format: Format,
  signal: AbortSignal,
): Promise<Reread> {
  const scanner = new LineScanner();
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      try {
        scanner.push(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
  });
  const source: Readable = await file.stream(signal);
  const decoder = decoderOf(format.codec);
  if (decoder) await pipeline(source, decoder, lines, { signal });
  else await pipeline(source, lines, { signal });
  return scanner.end();
}

function decoderOf(codec: Codec | null) {
  const options = { chunkSize: 256 * 1024 };
  if (codec === 'gzip') return createGunzip(options);
  if (codec === 'br') return createBrotliDecompress(options);
  return codec === 'zstd' ? createZstdDecompress(options) : null;
}

/** Finds line starts in chunks cut anywhere. */
export class LineScanner {
  readonly #uuids = new UuidTally();
  #cleaned = 0;
  /** The beginning of a line whose head continues in the next chunk. */
  #carry: Buffer = Buffer.alloc(0);
  #insideLine = false;

  push(chunk: Buffer): void {
    let at = 0;
    if (this.#carry.length > 0) {
      const missing = HEAD - this.#carry.length;
      const had = this.#carry.length;
      this.#carry = Buffer.concat([this.#carry, chunk.subarray(0, missing)]);
      if (this.#carry.length < HEAD) return;
      this.#head(this.#carry, 0);
      this.#carry = Buffer.alloc(0);
      this.#insideLine = true;
      at = HEAD - had;
    }
    while (at < chunk.length) {
      if (this.#insideLine) {
        const end = chunk.indexOf(NEWLINE, at);
        if (end < 0) return;
        this.#insideLine = false;
        at = end + 1;
      } else if (chunk.length - at < HEAD) {
        this.#carry = Buffer.from(chunk.subarray(at));
        return;
      } else {
        this.#head(chunk, at);
        this.#insideLine = true;
        at += HEAD;
      }
    }
  }

  /** Throws when the last line has no end. */
  end(): Reread {
    if (this.#insideLine || this.#carry.length > 0) throw new Error('The last line is not complete.');
    return { tally: this.#uuids.tally, cleaned: this.#cleaned };
  }

  #head(bytes: Buffer, at: number): void {
    const starts = bytes.compare(START, 0, START.length, at, at + START.length) === 0;
    if (!starts || !this.#uuids.add(bytes, at + START.length)) {
      throw new Error('A line does not start with a uuid.');
    }
    if (bytes[at + CHANGED_AT] === CHANGED_MARK.charCodeAt(0)) this.#cleaned++;
  }
}
