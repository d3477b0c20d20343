import { createHash } from 'node:crypto';
import type { Call } from './call.ts';
import { type ChecksumName, checksum, checksumNames, type Running } from './checksums.ts';
import { withoutChunks } from './chunked.ts';
import { S3Error } from './s3-error.ts';
import type { Signed } from './signature.ts';

/** What is known of a body once it has arrived and everything claimed about it has been checked. */
export interface Received {
  readonly bytes: number;
  /** Hex. */
  readonly md5: string;
  readonly checksum: { readonly name: ChecksumName; readonly value: string } | null;
}

/**
 * Passes the body to `write`, piece by piece, and checks length, signed hash, Content-MD5 and
 * `x-amz-checksum-*` (header or trailer). `wanted` is a checksum to work out although none was sent.
 */
export async function receive(
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
  write: (piece: Buffer) => Promise<void>,
  wanted: ChecksumName | null = null,
): Promise<Received> {
  const trailers = new Map<string, string>();
  const chunked = signed.payload.startsWith('STREAMING-');
  if (!chunked && call.headers['content-length'] === undefined && !call.headers['transfer-encoding']) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const name = claimedChecksum(call) ?? wanted;
  const md5 = createHash('md5');
  const sha256 = /^[0-9a-f]{64}$/.test(signed.payload) ? createHash('sha256') : null;
  const sum: Running | null = name && checksum(name);
  let bytes = 0;
  for await (const piece of chunked ? withoutChunks(source, signed, trailers) : source) {
    bytes += piece.length;
    md5.update(piece);
    sha256?.update(piece);
    sum?.update(piece);
    await write(piece);
  }
  if (sha256 && sha256.digest('hex') !== signed.payload) {
    throw new S3Error(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  }
  const decoded = call.headers['x-amz-decoded-content-length'];
  if (chunked && Number(decoded) !== bytes) {
    throw new S3Error(
      'IncompleteBody',
      `x-amz-decoded-content-length says ${decoded}, ${bytes} bytes arrived.`,
    );
  }
  const digest = md5.digest('hex');
  expectMd5(call.headers['content-md5']?.toString(), digest);
  const value = sum?.digest();
  if (name && value !== undefined) {
    const claimed = call.headers[`x-amz-checksum-${name}`] ?? trailers.get(`x-amz-checksum-${name}`);
    if (claimed !== undefined && claimed !== value) {
      throw new S3Error(
        'BadDigest',
        `The ${name.toUpperCase()} you specified did not match the calculated checksum.`,
      );
    }
    return { bytes, md5: digest, checksum: { name, value } };
  }
  return { bytes, md5: digest, checksum: null };
}

/** A body of XML, of 1 MiB at most. */
export async function receiveText(
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  await receive(call, signed, source, async (piece) => {
    size += piece.length;
    if (size > 1 << 20) throw new S3Error('MalformedXML', 'The XML is too long.');
    pieces.push(piece);
  });
  return Buffer.concat(pieces).toString('utf8');
}

function claimedChecksum(call: Call): ChecksumName | null {
  const inTrailer = String(call.headers['x-amz-trailer'] ?? '').toLowerCase();
  const claimed = checksumNames.filter(
    (name) => call.headers[`x-amz-checksum-${name}`] !== undefined || inTrailer === `x-amz-checksum-${name}`,
  );
  if (claimed.length > 1) throw new S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header.');
  return claimed[0] ?? null;
}

function expectMd5(header: string | undefined, digest: string): void {
  if (header === undefined) return;
  const claimed = Buffer.from(header, 'base64');
  if (claimed.length !== 16)
    throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.');
  if (claimed.toString('hex') !== digest) {
    throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
  }
}
