import { randomBytes } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { Result } from './engine.ts';
import { cancelled, type EngineError, httpStatus, toEngineError } from './engine-error.ts';

/** Answers up to this size are held until the query has ended, so that a late failure is still a status. */
const HOLD_BYTES = 64 * 1024;

export interface AnswerHead {
  readonly queryId: string;
  readonly format: string;
  readonly encoding: string | null;
}

/** Headers every answer about a query carries. */
function headers(head: AnswerHead): Record<string, string> {
  return {
    'Content-Type': CONTENT_TYPES[head.format] ?? 'application/octet-stream',
    'X-ClickHouse-Server-Display-Name': 'sluice',
    'X-ClickHouse-Query-Id': head.queryId,
    'X-ClickHouse-Format': head.format,
    'X-ClickHouse-Timezone': 'UTC',
    ...(head.encoding ? { 'Content-Encoding': head.encoding } : {}),
  };
}

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  TabSeparated: 'text/tab-separated-values; charset=UTF-8',
  CSV: 'text/csv; charset=UTF-8; header=absent',
  JSON: 'application/json; charset=UTF-8',
  JSONCompact: 'application/json; charset=UTF-8',
  JSONEachRow: 'application/x-ndjson; charset=UTF-8',
};

/** Answers with a whole result, or with nothing but the summary. */
export function sendResult(response: ServerResponse, head: AnswerHead, body: Buffer, result: Result): void {
  response.writeHead(200, {
    ...headers(head),
    'Content-Length': body.length,
    'X-ClickHouse-Summary': summary(result, head.format === NO_ANSWER ? result.rowsRead : 0),
  });
  response.end(body);
}

/** The format of statements that answer nothing. */
export const NO_ANSWER = 'Null';

/** chDB reports one pair of counters: what a query read, which for an INSERT is what it wrote. */
function summary(result: Result, written: number): string {
  return JSON.stringify({
    read_rows: String(result.rowsRead),
    read_bytes: String(result.bytesRead),
    written_rows: String(written),
    written_bytes: String(written > 0 ? result.bytesRead : 0),
    total_rows_to_read: '0',
    result_rows: '0',
    result_bytes: '0',
    elapsed_ns: String(Math.round(result.seconds * 1e9)),
  });
}

export function sendError(response: ServerResponse, error: EngineError, queryId: string | null): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = Buffer.from(error.text);
  response.writeHead(httpStatus(error.code), {
    'Content-Type': 'text/plain; charset=UTF-8',
    'Content-Length': body.length,
    'X-ClickHouse-Exception-Code': String(error.code),
    ...(queryId ? { 'X-ClickHouse-Query-Id': queryId } : {}),
  });
  response.end(body);
}

export interface Relayed {
  readonly source: Readable;
  /** The query's end; `source` ends after it. */
  readonly settled: Promise<Result>;
  /** Holds the whole answer back until the query has ended. */
  readonly waitEnd: boolean;
  /** Aborts when somebody kills the query: what is left of the answer is thrown away. */
  readonly killed: AbortSignal;
}

/**
 * Passes the engine's bytes on as they come. A failure after the first byte is written behind them
 * between `__exception__` marks, and the connection is cut: it never ends like a complete answer. Reads
 * `source` to its end in any case, since an engine stuck on a full pipe could not be stopped.
 */
export async function relay(response: ServerResponse, head: AnswerHead, relayed: Relayed): Promise<void> {
  const outcome = relayed.settled.then(
    (result) => (relayed.killed.aborted ? { result: null, error: cancelled() } : { result, error: null }),
    (error) => ({ result: null, error: toEngineError(error) }),
  );
  const tag = randomBytes(8).toString('hex');
  const holdBytes = relayed.waitEnd ? Number.POSITIVE_INFINITY : HOLD_BYTES;
  const held: Buffer[] = [];
  let heldBytes = 0;
  for await (const chunk of relayed.source as AsyncIterable<Buffer>) {
    if (response.destroyed || relayed.killed.aborted) continue;
    if (response.headersSent) {
      if (!response.write(chunk)) await writable(response, relayed.killed);
      continue;
    }
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < holdBytes) continue;
    response.writeHead(200, { ...headers(head), 'X-ClickHouse-Exception-Tag': tag });
    if (!response.write(Buffer.concat(held.splice(0)))) await writable(response, relayed.killed);
  }
  const { result, error } = await outcome;
  if (response.destroyed) return;
  if (error && response.headersSent) response.write(exceptionBlock(error, tag), () => response.destroy());
  else if (error) sendError(response, error, head.queryId);
  else if (response.headersSent) response.end();
  else sendResult(response, head, Buffer.concat(held), result);
}

/** Resolves when the response takes more, or need not any more. */
function writable(response: ServerResponse, killed: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      killed.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    killed.addEventListener('abort', done);
    if (response.destroyed || killed.aborted) done();
  });
}

function exceptionBlock(error: EngineError, tag: string): string {
  const { text } = error;
  return `\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`;
}
