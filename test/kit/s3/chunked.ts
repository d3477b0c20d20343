import { createHash } from 'node:crypto';
import { S3Error } from './s3-error.ts';
import { chainSignature, type Signed } from './signature.ts';

/**
 * Takes the `aws-chunked` encoding off a body: chunks with their size (and, when the payload is signed,
 * a signature each that chains to the one before), then trailing headers. Trailers end up in `trailers`.
 */
export async function* withoutChunks(
  source: AsyncIterable<Buffer>,
  signed: Signed,
  trailers: Map<string, string>,
): AsyncGenerator<Buffer> {
  const chunksSigned = signed.payload.startsWith('STREAMING-AWS4-HMAC-SHA256');
  const input = new Input(source);
  let previous = signed.signature;
  for (;;) {
    const [size = '', ...extensions] = (await input.line()).split(';');
    if (!/^[0-9a-f]+$/i.test(size)) throw new S3Error('InvalidRequest', 'The size of a chunk is malformed.');
    const hash = createHash('sha256');
    const length = Number.parseInt(size, 16);
    for await (const piece of input.bytes(length)) {
      if (chunksSigned) hash.update(piece);
      yield piece;
    }
    if (chunksSigned) {
      const given = extensions
        .find((text) => text.startsWith('chunk-signature='))
        ?.slice('chunk-signature='.length);
      previous = expectSignature(signed, previous, 'PAYLOAD', hash.digest('hex'), given);
    }
    if (length === 0) break;
    if ((await input.line()) !== '') throw new S3Error('InvalidRequest', 'A chunk is longer than it says.');
  }
  let canonical = '';
  for (let line = await input.lineOrEnd(); line; line = await input.lineOrEnd()) {
    const [name = '', value = ''] = line.split(/:\s*(.*)/s);
    if (name.toLowerCase() !== 'x-amz-trailer-signature')
      canonical += `${name.toLowerCase()}:${value.trim()}\n`;
    trailers.set(name.toLowerCase(), value.trim());
  }
  if (chunksSigned && signed.payload.endsWith('-TRAILER')) {
    const hash = createHash('sha256').update(canonical).digest('hex');
    expectSignature(signed, previous, 'TRAILER', hash, trailers.get('x-amz-trailer-signature'));
  }
}

function expectSignature(
  signed: Signed,
  previous: string,
  kind: 'PAYLOAD' | 'TRAILER',
  hash: string,
  given: string | undefined,
): string {
  const expected = chainSignature(signed, previous, kind, hash);
  if (given === expected) return expected;
  throw new S3Error('SignatureDoesNotMatch', 'The signature of a chunk does not match its content.');
}

/** Lines and counted bytes from a stream of buffers. */
class Input {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const line = await this.lineOrEnd();
    if (line === undefined) throw new S3Error('IncompleteBody', 'The body ended within its chunks.');
    return line;
  }

  async lineOrEnd(): Promise<string | undefined> {
    for (;;) {
      const end = this.#rest.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end);
        this.#rest = this.#rest.subarray(end + 2);
        return line;
      }
      if (this.#rest.length > 8192)
        throw new S3Error('InvalidRequest', 'A line of the chunked body is too long.');
      if (!(await this.#more())) return undefined;
    }
  }

  async *bytes(count: number): AsyncGenerator<Buffer> {
    for (let missing = count; missing > 0; ) {
      if (this.#rest.length === 0 && !(await this.#more())) {
        throw new S3Error('IncompleteBody', 'The body ended within a chunk.');
      }
      const piece = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(piece.length);
      missing -= piece.length;
      yield piece;
    }
  }

  async #more(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done) return false;
    this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
    return true;
  }
}
