import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Reply } from './call.ts';
import { type FaultAction, faulty } from './faults.ts';
import { paced } from './pace.ts';
import type { S3Error } from './s3-error.ts';
import { document } from './xml.ts';

/** Sends a reply, spoiled as the faults ask. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  actions: readonly FaultAction[],
): Promise<void> {
  await drain(request);
  const text = typeof reply.body === 'string' ? Buffer.from(reply.body) : null;
  const length = text?.length ?? reply.length ?? 0;
  response.writeHead(reply.status, {
    ...(text ? { 'content-type': 'application/xml' } : {}),
    ...reply.headers,
    ...([204, 304].includes(reply.status) ? {} : { 'content-length': length }),
    'x-amz-request-id': 'TEST',
  });
  const stream = text ? Readable.from([text]) : reply.body instanceof Readable ? reply.body : null;
  if (stream === null) {
    response.end();
    return;
  }
  const slow = faulty(actions, 'slow');
  const source = slow ? Readable.from(paced(stream, slow.slow)) : stream;
  if (faulty(actions, 'truncate')) await pipeline(source, halfway(length, response), response);
  else await pipeline(source, response);
}

/** Sends an error as S3 does; HEAD has no body. */
export async function sendError(
  request: IncomingMessage,
  response: ServerResponse,
  error: S3Error,
): Promise<void> {
  await drain(request);
  const body = Buffer.from(
    document('Error', { Code: error.code, Message: error.message, ...error.extra, RequestId: 'TEST' }, false),
  );
  const region = error.extra.Region;
  response.writeHead(error.status, {
    'content-type': 'application/xml',
    'content-length': request.method === 'HEAD' ? 0 : body.length,
    ...(region ? { 'x-amz-bucket-region': region } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** Sends until the client hangs up. */
export async function sendForEver(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
): Promise<void> {
  await drain(request);
  response.writeHead(status, { 'content-type': 'application/xml' });
  const chunk = Buffer.alloc(65_536, ' ');
  const chunks = function* () {
    for (;;) yield chunk;
  };
  await pipeline(Readable.from(chunks(), { objectMode: false }), response).catch(() => {});
}

/** Reads what is left of the request, so that the client gets to read the answer. */
async function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  await new Promise<void>((resolve) => {
    request
      .once('end', resolve)
      .once('close', resolve)
      .once('error', () => resolve());
    request.resume();
  });
}

/** Lets half of the bytes through and cuts the line. */
function halfway(length: number, response: ServerResponse): Transform {
  let left = Math.floor(length / 2);
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      if (left > 0 || piece.length === chunk.length) return done(null, piece);
      response.write(piece, () => response.socket?.destroy());
      done(null);
    },
  });
}
