import { createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { EngineError } from './engine-error.ts';
import { type InsertStatement, type QueryStatement, readStatement, type Statement } from './statement.ts';

/** The data of an INSERT lies in a file, which whoever receives this removes. */
export type Submission =
  | { readonly statement: InsertStatement; readonly data: Data }
  | { readonly statement: QueryStatement; readonly data: null };

export interface Data {
  readonly path: string;
  /** The engine's name for how the file is compressed. */
  readonly compression: string;
}

export interface Source {
  /** SQL from the URL; empty when the body carries it. */
  readonly query: string;
  /** The body as sent, in this compression. */
  readonly raw: Readable;
  readonly compression: string;
  /** The body without its Content-Encoding; reading it consumes `raw`. */
  readonly plain: () => Readable;
}

/** An INSERT's own text ends within this (ClickHouse's max_query_size); its data may be endless. */
const HEAD_BYTES = 256 * 1024;
const LONGEST_QUERY_BYTES = 64 * 1024 * 1024;

/**
 * Reads one request's statement. The data of an INSERT is written to a file below `folder` whole before
 * the engine sees any of it: a body that breaks off inserts nothing, a slow sender holds no query, and
 * formats that need to seek (Parquet) work. Throws EngineError, MultipleStatements, stream errors.
 */
export async function receive(source: Source, folder: string, name: string): Promise<Submission> {
  if (source.query.trim() !== '') {
    const statement = readStatement(source.query);
    if (statement.kind === 'insert') {
      const inline = source.query.slice(statement.dataAt);
      const data =
        inline.trim() === ''
          ? await spool(source.raw, source.compression, folder, name)
          : await spool(Readable.from(prepend(Buffer.from(inline), source.plain())), 'none', folder, name);
      return { statement, data };
    }
    const rest = await text(prepend(Buffer.alloc(0), source.plain()), Buffer.alloc(0));
    const sql = rest.trim() === '' ? source.query : `${source.query}\n${rest}`;
    return withoutData(sql);
  }
  const chunks = source.plain()[Symbol.asyncIterator]();
  const head = await readHead(chunks);
  const statement = readStatementHead(head);
  if (statement?.kind === 'insert') {
    const sql = head.toString('utf8');
    const dataAt = Buffer.byteLength(sql.slice(0, statement.dataAt));
    const data = await spool(Readable.from(prepend(head.subarray(dataAt), chunks)), 'none', folder, name);
    return { statement, data };
  }
  return withoutData(await text(chunks, head));
}

function withoutData(sql: string): Submission {
  const statement = readStatement(sql);
  if (statement.kind !== 'insert') return { statement, data: null };
  throw new EngineError(172, 'QUERY_IS_TOO_LARGE', 'The data of this INSERT comes too late in the request.');
}

type Chunks = AsyncIterable<Buffer> | AsyncIterator<Buffer>;

async function readHead(chunks: AsyncIterator<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let size = 0; size < HEAD_BYTES; ) {
    const next = await chunks.next();
    if (next.done) break;
    parts.push(next.value);
    size += next.value.length;
  }
  return Buffer.concat(parts);
}

/** A head cut in the middle may look like anything but an INSERT with data; only that matters here. */
function readStatementHead(head: Buffer): Statement | null {
  const text = head.toString('utf8');
  return /^\s*(?:\/\*|--|#|insert\b)/i.test(text) ? readStatement(text) : null;
}

async function text(chunks: Chunks, head: Buffer): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of prepend(head, chunks)) {
    size += chunk.length;
    if (size > LONGEST_QUERY_BYTES)
      throw new EngineError(172, 'QUERY_IS_TOO_LARGE', 'The query is too long.');
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function* prepend(head: Buffer, chunks: Chunks): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* Symbol.asyncIterator in chunks ? chunks : { [Symbol.asyncIterator]: () => chunks };
}

async function spool(body: Readable, compression: string, folder: string, name: string): Promise<Data> {
  const path = join(folder, `insert-${name}`);
  try {
    await pipeline(body, createWriteStream(path, { mode: 0o600 }));
    return { path, compression };
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}
