import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type ClickHouseClient,
  ClickHouseError,
  ClickHouseLogLevel,
  createClient,
  type ExecParams,
} from '@clickhouse/client';
import { SluiceError } from '../errors/error.ts';
import { guardAnswer } from './answer.ts';
import { connectionError, exceptionError } from './exception.ts';
import type { Encoding, Insert, Query, Warehouse } from './warehouse.ts';

export interface WarehouseLog {
  warn(fields: object, message: string): void;
}

export interface WarehouseConnection {
  /** `http(s)://user:password@host:port/database`; the database is `default` without a path. */
  readonly url: string;
  /** Whether the engine shares this machine's file system. */
  readonly localFiles: boolean;
  readonly log?: WarehouseLog;
}

/** Sent with every request: one time zone everywhere, and failures never disguised as data. */
const ALWAYS = {
  session_timezone: 'UTC',
  http_write_exception_in_output_format: 0,
  output_format_json_quote_64bit_integers: 1,
  cancel_http_readonly_queries_on_client_close: 1,
} as const;

/** A query may compute this long before its first byte; a dead server is noticed by TCP keep-alive. */
const SILENCE_MS = 30 * 60_000;

/** Connects on first use; nothing is checked here. Throws `bad_configuration` on a malformed URL. */
export function connectWarehouse(connection: WarehouseConnection): Warehouse {
  const target = parse(connection.url);
  const client = createClient({
    url: target.url,
    username: target.username,
    password: target.password,
    database: target.database,
    application: 'sluice',
    request_timeout: SILENCE_MS,
    max_open_connections: 64,
    keep_alive: { enabled: true },
    // Every failure is thrown; the library's log would hold SQL text.
    log: { level: ClickHouseLogLevel.OFF },
  });
  return new HttpWarehouse(client, connection.localFiles, connection.log);
}

class HttpWarehouse implements Warehouse {
  readonly localFiles: boolean;
  readonly #client: ClickHouseClient;
  readonly #log: WarehouseLog | undefined;
  /** Kills on their way for abandoned answers; `close` lets them arrive. */
  readonly #kills = new Set<Promise<void>>();

  constructor(client: ClickHouseClient, localFiles: boolean, log: WarehouseLog | undefined) {
    this.#client = client;
    this.localFiles = localFiles;
    this.#log = log;
  }

  async rows<Row>(query: Query): Promise<Row[]> {
    const text = await collect(await this.bytes({ ...query, format: 'JSONEachRow' }));
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Row);
  }

  async command(query: Query): Promise<void> {
    await collect(await this.#send(query.sql, { ...query, settings: { ...query.settings, ...AT_END } }));
  }

  bytes(query: Query & Encoding): Promise<Readable> {
    const settings = query.compression
      ? { ...query.settings, enable_http_compression: 1 }
      : { ...query.settings };
    return this.#send(`${query.sql}\nFORMAT ${query.format}`, { ...query, settings }, (headers) => {
      const encoding = headers['content-encoding'];
      if (encoding !== query.compression) {
        throw new SluiceError('warehouse_query', {
          detail: `The warehouse answered in encoding ${encoding ?? 'none'} instead of ${query.compression}.`,
        });
      }
    });
  }

  async insert(insert: Insert): Promise<void> {
    const columns = insert.columns ? ` (${insert.columns.map(quoteName).join(', ')})` : '';
    const table = insert.table.split('.').map(quoteName).join('.');
    const body = Buffer.isBuffer(insert.body)
      ? Readable.from([insert.body], { objectMode: false })
      : insert.body;
    const answer = await this.#send(`INSERT INTO ${table}${columns} FORMAT ${insert.format}`, {
      ...insert,
      settings: { async_insert: 0, ...insert.settings, ...AT_END },
      body,
    });
    await collect(answer);
  }

  async kill(queryId: string): Promise<void> {
    await this.command({ sql: 'KILL QUERY WHERE query_id = {id:String} SYNC', params: { id: queryId } });
  }

  async ping(): Promise<void> {
    const result = await this.#client.ping();
    if (!result.success) throw toSluiceError(result.error, undefined);
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#kills);
    await this.#client.close();
  }

  async #send(sql: string, request: Request, check?: (headers: Headers) => void): Promise<Readable> {
    const queryId = request.queryId ?? randomUUID();
    const onAbandoned = () => this.#killLater(queryId);
    try {
      request.signal?.throwIfAborted();
      const answer = await this.#client.exec({
        query: sql,
        query_id: queryId,
        query_params: { ...request.params },
        clickhouse_settings: { ...ALWAYS, ...request.settings },
        http_headers: headersOf(request),
        decompress_response_stream: false,
        ...(request.signal ? { abort_signal: request.signal } : {}),
        ...(request.body ? { values: request.body } : {}),
      } as ExecParams);
      const headers = answer.response_headers ?? {};
      const tag = headers['x-clickhouse-exception-tag'];
      const guarded = guardAnswer(answer.stream, {
        exceptionTag: typeof tag === 'string' ? tag : undefined,
        signal: request.signal,
        onAbandoned,
      });
      try {
        check?.(headers);
      } catch (error) {
        guarded.destroy(error as Error);
        throw error;
      }
      return guarded;
    } catch (error) {
      if (request.signal?.aborted) onAbandoned();
      throw toSluiceError(error, request.signal);
    }
  }

  /** Closing the connection stops a SELECT where the server notices; the kill stops everything. */
  #killLater(queryId: string): void {
    const kill = this.kill(queryId).catch((error) =>
      this.#log?.warn(
        { queryId, code: (error as SluiceError).code },
        'an abandoned query could not be stopped',
      ),
    );
    this.#kills.add(kill);
    void kill.finally(() => this.#kills.delete(kill));
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface Request extends Omit<Query, 'sql'> {
  readonly body?: Readable;
  readonly contentEncoding?: string;
  readonly compression?: string;
}

/** Has the server answer when it is done, so that a failure is a status and not half a body. */
const AT_END = { wait_end_of_query: 1 } as const;

function headersOf(request: Request): Record<string, string> {
  return {
    ...(request.compression ? { 'Accept-Encoding': request.compression } : {}),
    ...(request.contentEncoding ? { 'Content-Encoding': request.contentEncoding } : {}),
  };
}

async function collect(answer: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function toSluiceError(error: unknown, signal: AbortSignal | undefined): SluiceError {
  if (error instanceof SluiceError) return error;
  if (signal?.aborted) return new SluiceError('warehouse_cancelled', { cause: signal.reason });
  if (error instanceof ClickHouseError) {
    return exceptionError(Number(error.code), `${error.message} (${error.type ?? 'unknown'})`, error);
  }
  return connectionError('no answer', error);
}

/** Backticks, so that any table or column name is a name and nothing else. */
function quoteName(name: string): string {
  return `\`${name.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``;
}

function parse(text: string): { url: string; username: string; password: string; database: string } {
  if (!URL.canParse(text)) {
    throw new SluiceError('bad_configuration', { detail: 'CLICKHOUSE_URL is not a URL.' });
  }
  const url = new URL(text);
  return {
    url: url.origin,
    username: decodeURIComponent(url.username) || 'default',
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'default',
  };
}
