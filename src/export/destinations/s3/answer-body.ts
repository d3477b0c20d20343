import type { Readable } from 'node:stream';
import { GatheredBytes } from '../../../work/gathered-bytes.ts';

/** A listing of a thousand uploads, the most that a page has, is smaller with keys of the longest written in `&quot;` only. */
const MOST_BYTES = 8 * 1024 * 1024;

/** More than any answer of a store that is no object. */
class AnswerTooLarge extends Error {
  override readonly name = 'AnswerTooLarge';
}

/**
 * Reads an answer's body whole, in place of the SDK's collector, which takes all that is sent: whoever owns the store could
 * fill the memory. One that is too large is hung up on. Bodies of objects do not come this way, but what is answered instead
 * of one does.
 */
export async function collectAnswer(body: Readable): Promise<Uint8Array> {
  const gathered = new GatheredBytes();
  // Breaking off destroys the stream, and with it the connection.
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (gathered.length + chunk.length > MOST_BYTES) {
      throw new AnswerTooLarge(`An answer of more than ${MOST_BYTES} bytes.`);
    }
    gathered.push(chunk);
  }
  const { buffer, byteOffset, length } = gathered.bytes();
  return new Uint8Array(buffer, byteOffset, length);
}
