import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib';
import type { Context } from './engine.ts';
import { EngineError } from './engine-error.ts';

/** One request in ClickHouse's HTTP protocol, its parameters sorted out. */
export interface WarehouseRequest {
  readonly context: Context;
  /** The `query` parameter; the body follows it. */
  readonly query: string;
  readonly defaultFormat: string | undefined;
  /** Codec for the answer, when the caller asked for one. */
  readonly compression: AnswerCompression | null;
  /** The engine's name for the codec of the body. */
  readonly bodyCompression: string;
  /** The caller wants the status to tell the end of the query, whatever its size. */
  readonly waitEnd: boolean;
}

export interface AnswerCompression {
  /** As in `Content-Encoding`. */
  readonly encoding: string;
  readonly level: number;
}

/** Parameters of the HTTP interface itself; all others are settings of the query. */
const OF_THE_INTERFACE = new Set([
  'query',
  'query_id',
  'database',
  'default_format',
  'user',
  'password',
  'quota_key',
  'role',
  'session_id',
  'session_timeout',
  'session_check',
  'close_session',
  'wait_end_of_query',
  'buffer_size',
  'compress',
  'decompress',
  'stacktrace',
  'client_protocol_version',
  'readonly',
]);

/** Throws EngineError for what this façade cannot do, instead of answering something else. */
export function readRequest(
  message: IncomingMessage,
  fields: URLSearchParams,
  newId: () => string,
): WarehouseRequest {
  for (const name of ['compress', 'decompress']) {
    if (isOn(fields.get(name))) {
      throw new EngineError(48, 'NOT_IMPLEMENTED', `'${name}=1' is not supported; use HTTP compression.`);
    }
  }
  const all = [...fields];
  return {
    query: fields.getAll('query').join('\n'),
    context: {
      queryId: fields.get('query_id') || header(message, 'x-clickhouse-query-id') || newId(),
      database: fields.get('database') || header(message, 'x-clickhouse-database') || 'default',
      settings: new Map(all.filter(([name]) => !OF_THE_INTERFACE.has(name) && !name.startsWith('param_'))),
      params: new Map(
        all.filter(([name]) => name.startsWith('param_')).map(([name, value]) => [name.slice(6), value]),
      ),
      readonly: message.method === 'GET' || Number(fields.get('readonly') ?? 0) > 0,
    },
    defaultFormat: header(message, 'x-clickhouse-format') || fields.get('default_format') || undefined,
    compression: answerCompression(message, fields),
    bodyCompression: bodyCompression(message),
    waitEnd: isOn(fields.get('wait_end_of_query')),
  };
}

/** `http_zlib_compression_level` is ClickHouse's setting for every codec; 3 is its default. */
function answerCompression(message: IncomingMessage, fields: URLSearchParams): AnswerCompression | null {
  if (!isOn(fields.get('enable_http_compression'))) return null;
  const accepted = (header(message, 'accept-encoding') ?? '')
    .split(',')
    .map((part) => part.split(';')[0]?.trim().toLowerCase());
  const encoding = ANSWER_ENCODINGS.find((candidate) => accepted.includes(candidate));
  return encoding ? { encoding, level: Number(fields.get('http_zlib_compression_level') ?? 3) } : null;
}

const ANSWER_ENCODINGS = ['br', 'gzip', 'deflate', 'zstd', 'xz', 'lz4'];
const BODY_ENCODINGS = ['gzip', 'br', 'deflate', 'zstd', 'xz', 'lz4', 'bz2', 'snappy'];

function bodyCompression(message: IncomingMessage): string {
  const encoding = header(message, 'content-encoding') ?? '';
  if (encoding === '' || encoding === 'identity') return 'none';
  if (BODY_ENCODINGS.includes(encoding)) return encoding;
  throw new EngineError(378, 'UNKNOWN_COMPRESSION_METHOD', `Unknown Content-Encoding '${encoding}'.`);
}

/** The body as text may be read from it; the engine itself decompresses what it inserts. */
export function decompressed(message: IncomingMessage, codec: string): Readable {
  if (codec === 'none') return message;
  const unpack = UNPACK[codec];
  if (!unpack) throw new EngineError(48, 'NOT_IMPLEMENTED', `A query cannot be sent in encoding '${codec}'.`);
  const plain = unpack();
  message.once('error', (error) => plain.destroy(error));
  message.once('aborted', () => plain.destroy());
  return message.pipe(plain);
}

const UNPACK: Readonly<Record<string, () => ReturnType<typeof createGunzip>>> = {
  gzip: createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress as () => ReturnType<typeof createGunzip>,
  zstd: createZstdDecompress as () => ReturnType<typeof createGunzip>,
};

/** Throws code 516 (or 194 without any password) unless the request carries the password. */
export function authenticate(
  message: IncomingMessage,
  fields: URLSearchParams,
  password: string | null,
): void {
  if (password === null) return;
  const [user, key] = credentials(message, fields);
  if (user === 'default' && key !== undefined && sameText(key, password)) return;
  if (key === undefined) throw new EngineError(194, 'REQUIRED_PASSWORD', `${user}: a password is required.`);
  throw new EngineError(516, 'AUTHENTICATION_FAILED', 'The user or the password is wrong.');
}

function credentials(message: IncomingMessage, fields: URLSearchParams): [string, string | undefined] {
  const basic = /^Basic (.+)$/i.exec(header(message, 'authorization') ?? '')?.[1];
  if (basic) {
    const [user = '', ...rest] = Buffer.from(basic, 'base64').toString('utf8').split(':');
    return [user, rest.join(':')];
  }
  const user = header(message, 'x-clickhouse-user') ?? fields.get('user') ?? 'default';
  return [user, header(message, 'x-clickhouse-key') ?? fields.get('password') ?? undefined];
}

/** Compares in constant time whatever the lengths. */
function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function header(message: IncomingMessage, name: string): string | undefined {
  const value = message.headers[name];
  return typeof value === 'string' ? value : value?.join(',');
}

const isOn = (value: string | null): boolean =>
  value !== null && value !== '' && value !== '0' && value !== 'false';
