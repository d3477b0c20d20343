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
import { systemClock } from '../work/clock.ts';
import { withinLimit } from '../work/within-limit.ts';
import { keptConnections } from './agent.ts';
import { guardAnswer } from './answer.ts';
import { connectionError, exceptionError } from './exception.ts';
import { jsonRows } from './json-rows.ts';
import { quoteName } from './quoting.ts';
import { settingsOf } from './settings.ts';
import { watchSilence } from './silence.ts';
import { parseUrl } from './url.ts';
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
  /** Milliseconds without a byte after which the server is asked whether it lives; default 60,000. */
  readonly silenceMs?: number;
}

/** Together what the embedded engine runs at once (`QUERIES_AT_ONCE`). */
const MOST_CONNECTIONS = 52;
/** Of those who must not wait behind long answers: inserts, and questions on which everybody waits. */
const MOST_PROMPT_CONNECTIONS = 8;
/** A kill answers when its query is gone, which may take minutes. */
const MOST_KILL_CONNECTIONS = 4;
/** A query may compute this long before its first byte, as long as its server answers pings. */
const LONGEST_SILENCE_MS = 30 * 60_000;
const SILENCE_MS = 60_000;
/** A server that needs longer for a ping is not ready. */
const LONGEST_PING_MS = 10_000;
/** A server that cannot be told to stop must not hold up the one who leaves. */
const LONGEST_KILL_MS = 5_000;

/** Connects on first use; nothing is checked here. Throws `bad_configuration` on a malformed URL. */
export function connectWarehouse(connection: WarehouseConnection): Warehouse {
  const { localFiles, log, silenceMs = SILENCE_MS } = connection;
  const common = {
    ...parseUrl(connection.url),
    application: 'sluice',
    // Every failure is thrown; the library's log would hold SQL text.
    log: { level: ClickHouseLogLevel.OFF },
  };
  const connecting = (most: number) =>
    createClient({
      ...common,
      request_timeout: LONGEST_SILENCE_MS,
      http_agent: keptConnections(common.url, most),
      keep_alive: { enabled: true, idle_socket_ttl: 0 },
    });
  const client = connecting(MOST_CONNECTIONS);
  const prompt = connecting(MOST_PROMPT_CONNECTIONS);
  const killing = connecting(MOST_KILL_CONNECTIONS);
  // Connections of their own: hanging queries must not keep the question whether anybody is there from being asked.
  const pings = createClient({
    ...common,
    request_timeout: Math.min(silenceMs, LONGEST_PING_MS),
    keep_alive: { enabled: false },
  });
  return new HttpWarehouse({ client, prompt, killing, pings, localFiles, log, silenceMs });
}

interface HttpWarehouseParts {
  readonly client: ClickHouseClient;
  readonly prompt: ClickHouseClient;
  readonly killing: ClickHouseClient;
  readonly pings: ClickHouseClient;
  readonly localFiles: boolean;
  readonly log: WarehouseLog | undefined;
  readonly silenceMs: number;
}

class HttpWarehouse implements Warehouse {
  readonly localFiles: boolean;
  readonly #client: ClickHouseClient;
  readonly #prompt: ClickHouseClient;
  readonly #killing: ClickHouseClient;
  readonly #pings: ClickHouseClient;
  readonly #log: WarehouseLog | undefined;
  readonly #silenceMs: number;
  /** The question on its way, shared by all who ask. */
  #ping: Promise<void> | undefined;
  /** Kills on their way for abandoned queries, by id; `command` waits for its own, `close` for all. */
  readonly #kills = new Map<string, Promise<void>>();

  constructor(parts: HttpWarehouseParts) {
    this.#client = parts.client;
    this.#prompt = parts.prompt;
    this.#killing = parts.killing;
    this.#pings = parts.pings;
    this.localFiles = parts.localFiles;
    this.#log = parts.log;
    this.#silenceMs = parts.silenceMs;
  }

  async rows<Row>(query: Query): Promise<Row[]> {
    return jsonRows(await collect(await this.bytes({ ...query, format: 'JSONEachRow' })));
  }

  async command(query: Query): Promise<void> {
    const queryId = query.queryId ?? randomUUID();
    const settings = { ...query.settings, ...AT_END };
    try {
      await collect(await this.#send(query.sql, { ...query, queryId, settings }));
    } catch (error) {
      if (query.signal?.aborted) await this.#gone(queryId);
      throw error;
    }
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
      settings: { ...INSERTING, ...insert.settings, ...AT_END },
      body,
      prompt: true,
    });
    await collect(answer);
  }

  async kill(queryId: string): Promise<void> {
    const sql = 'KILL QUERY WHERE query_id = {id:String} SYNC';
    await collect(
      await this.#send(sql, { params: { id: queryId }, settings: AT_END, client: this.#killing }),
    );
  }

  ping(): Promise<void> {
    this.#ping ??= this.#pings
      .ping()
      .then((result) => {
        if (!result.success) throw toSluiceError(result.error, undefined);
      })
      .finally(() => {
        this.#ping = undefined;
      });
    return this.#ping;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kills.keys()].map((queryId) => this.#gone(queryId)));
    const clients = [this.#client, this.#prompt, this.#killing, this.#pings];
    await Promise.all(clients.map((client) => client.close()));
  }

  async #send(sql: string, request: Request, check?: (headers: Headers) => void): Promise<Readable> {
    const queryId = request.queryId ?? randomUUID();
    const onAbandoned = () => this.#killLater(queryId);
    const watch = watchSilence(this.#silenceMs, () => this.ping());
    try {
      request.signal?.throwIfAborted();
      const client = request.client ?? (request.prompt ? this.#prompt : this.#client);
      const answer = await client.exec({
        query: sql,
        query_id: queryId,
        query_params: { ...request.params },
        clickhouse_settings: { ...settingsOf(this.localFiles), ...request.settings },
        http_headers: headersOf(request),
        decompress_response_stream: false,
        abort_signal: request.signal ? AbortSignal.any([request.signal, watch.dead]) : watch.dead,
        ...(request.body ? { values: request.body } : {}),
      } as ExecParams);
      const headers = answer.response_headers ?? {};
      const tag = headers['x-clickhouse-exception-tag'];
      const guarded = guardAnswer(answer.stream, {
        exceptionTag: typeof tag === 'string' ? tag : undefined,
        signal: request.signal,
        watch,
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
      watch.stop();
      if (request.signal?.aborted) onAbandoned();
      else watch.dead.throwIfAborted();
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
    this.#kills.set(queryId, kill);
    void kill.finally(() => this.#kills.delete(queryId));
  }

  /** What an aborted statement writes, files above all, must not appear after the caller has cleaned up. */
  async #gone(queryId: string): Promise<void> {
    const kill = this.#kills.get(queryId) ?? Promise.resolve();
    await withinLimit(systemClock, LONGEST_KILL_MS, kill).catch(() => {});
  }
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface Request extends Omit<Query, 'sql'> {
  readonly body?: Readable;
  readonly contentEncoding?: string;
  readonly compression?: string;
  readonly client?: ClickHouseClient;
}

/** What is sent is stored before it is acknowledged; a replica that is behind may take it as well as any. */
const INSERTING = { async_insert: 0, fallback_to_stale_replicas_for_distributed_queries: 1 } as const;

/** Has the server answer when it is done, so that a failure is a status and not half a body. */
const AT_END = { wait_end_of_query: 1 } as const;

function headersOf(request: Request): Record<string, string> {
  return {
    ...(request.compression ? { 'Accept-Encoding': request.compression } : {}),
    ...(request.contentEncoding ? { 'Content-Encoding': request.contentEncoding } : {}),
  };
}

async function collect(answer: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function toSluiceError(error: unknown, signal: AbortSignal | undefined): SluiceError {
  if (error instanceof SluiceError) return error;
  if (signal?.aborted) return new SluiceError('warehouse_cancelled', { cause: signal.reason });
  if (error instanceof ClickHouseError) {
    return exceptionError(Number(error.code), `${error.message} (${error.type ?? 'unknown'})`, error);
  }
  return connectionError('no answer', error);
}
