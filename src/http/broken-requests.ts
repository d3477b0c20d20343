import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../errors/catalogue.ts';
import { SluiceError } from '../errors/error.ts';
import { toErrorAnswer } from './envelope.ts';

const CODES: Readonly<Record<string, ErrorCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
  HPE_HEADER_OVERFLOW: 'request_headers_too_large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 'request_too_large',
};

interface BrokenRequest extends Error {
  readonly code?: string;
  /** What arrived, a Buffer; Fastify's types say otherwise. */
  readonly rawPacket?: unknown;
}

const isHead = (packet: unknown): boolean =>
  Buffer.isBuffer(packet) && packet.subarray(0, 5).toString('latin1') === 'HEAD ';

/**
 * Answers what never became a request: bytes that are not HTTP, headers without end, senders that are
 * too slow. There is no response object yet, so the envelope is written by hand and the line is cut.
 */
export function answerBrokenRequest(error: BrokenRequest, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = CODES[error.code ?? ''] ?? 'parse_error';
  const { status, body } = toErrorAnswer(new SluiceError(code));
  const text = JSON.stringify(body);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(text)}`,
      'connection: close',
      '',
      // The answer to HEAD ends with its headers; clients take what follows for garbage.
      isHead(error.rawPacket) ? '' : text,
    ].join('\r\n'),
    // A sender that never reads must not keep the socket.
    () => socket.destroy(),
  );
}
