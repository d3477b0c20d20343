import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { receive, type Submission } from './body.ts';
import type { Engine } from './engine.ts';
import { EngineError, toEngineError } from './engine-error.ts';
import { DEFAULT_FORMAT, execute } from './execute.ts';
import { killingOwnIds, type OwnKill } from './own-ids.ts';
import type { Pipe } from './pipes.ts';
import { sendError, sendResult } from './reply.ts';
import { authenticate, decompressed, readRequest, type WarehouseRequest } from './request.ts';
import { MultipleStatements } from './statement.ts';

/** ClickHouse's own limit (`http_max_uri_size`): parameters such as long lists of event names come in the URL. */
const URL_BYTES = 1024 * 1024;

export interface FacadeOptions {
  readonly engine: Engine;
  /** One per query that may run at the same time. */
  readonly pipes: readonly Pipe[];
  /** Where request bodies wait for the engine. */
  readonly folder: string;
  /** Null = anyone who reaches the port. */
  readonly password: string | null;
}

export interface Facade {
  readonly server: Server;
  /** Refuses new queries, stops those that run, and resolves when all are gone. */
  drain(): Promise<void>;
}

/** An HTTP server that speaks ClickHouse's protocol for chDB. */
export function createFacade(options: FacadeOptions): Facade {
  const facade = new RunningFacade(options);
  const limits = { keepAliveTimeout: 30_000, requestTimeout: 0, maxHeaderSize: URL_BYTES };
  const server = createServer(limits, (message, response) => {
    void facade.answer(message, response);
  });
  return { server, drain: () => facade.drain() };
}

interface Running {
  readonly settled: Promise<unknown>;
  /** Throws away what is left of the answer, so that the engine cannot hang on a reader who does not read. */
  readonly letGo: () => void;
  /** True once the caller has left; the query is being stopped then. */
  readonly abandoned: () => boolean;
}

class RunningFacade {
  readonly #options: FacadeOptions;
  readonly #idlePipes: Pipe[];
  readonly #running = new Map<string, Running>();
  #draining = false;

  constructor(options: FacadeOptions) {
    this.#options = options;
    this.#idlePipes = [...options.pipes];
  }

  async drain(): Promise<void> {
    this.#draining = true;
    const stopping = [...this.#running].map(([id, { settled, letGo }]) => {
      letGo();
      return this.#options.engine.stop(id, settled);
    });
    await Promise.all(stopping);
  }

  /** Never throws: every failure becomes an answer in ClickHouse's manner. */
  async answer(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let queryId: string | null = null;
    response.on('error', () => {});
    try {
      const url = new URL(message.url ?? '/', 'http://localhost');
      if (url.pathname === '/ping' || url.pathname === '/replicas_status') return ok(response);
      if (url.pathname !== '/') return notFound(response, url.pathname);
      const { fields, body } = await readForm(message, url.searchParams);
      if (message.method === 'GET' && !fields.has('query')) return ok(response);
      authenticate(message, fields, this.#options.password);
      const request = readRequest(message, fields, randomUUID);
      queryId = request.context.queryId;
      await this.#run(request, body, message, response);
    } catch (error) {
      if (!message.complete) message.resume(); // an answer before the body's end; let the sender finish
      sendError(response, describe(error), queryId);
    }
  }

  async #run(
    request: WarehouseRequest,
    body: Readable,
    message: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const submission = await receive(
      {
        query: request.query,
        raw: body,
        compression: request.bodyCompression,
        plain: () => (body === message ? decompressed(message, request.bodyCompression) : body),
      },
      this.#options.folder,
      randomUUID(),
    );
    try {
      await this.#admit(submission, request, response);
    } finally {
      if (submission.data) await rm(submission.data.path, { force: true });
    }
  }

  async #admit(submission: Submission, request: WarehouseRequest, response: ServerResponse): Promise<void> {
    if (response.destroyed) return; // the caller left while the body was stored
    const { queryId } = request.context;
    if (this.#draining) throw new EngineError(236, 'ABORTED', 'The server is shutting down.');
    if (this.#running.has(queryId)) {
      const text = `Query with id = ${queryId} is already running.`;
      throw new EngineError(216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', text);
    }
    const { statement } = submission;
    const kill = statement.kind === 'command' ? killingOwnIds(statement.sql) : null;
    if (kill) return this.#kill(kill, request, response);
    const pipe = this.#idlePipes.pop();
    if (!pipe) throw new EngineError(202, 'TOO_MANY_SIMULTANEOUS_QUERIES', 'Too many simultaneous queries.');
    try {
      const { engine } = this.#options;
      const killed = new AbortController();
      const run = execute(submission, request, { engine, pipe, response, killed: killed.signal });
      this.#running.set(queryId, {
        settled: run,
        letGo: () => killed.abort(),
        abandoned: () => response.destroyed,
      });
      response.once('close', () => {
        if (this.#running.has(queryId) && !response.writableFinished) void engine.stop(queryId, run);
      });
      await run;
    } finally {
      this.#running.delete(queryId);
      this.#idlePipes.push(pipe);
    }
  }

  /**
   * Kills at once however many queries run. The victims may hang on readers who do not read, so
   * their answers are let go first. A caller who left may ask before the engine knows of the query, which no condition
   * finds then: so a `SYNC` waits for whatever has been left.
   */
  async #kill(
    { victims, kill, sync }: OwnKill,
    request: WarehouseRequest,
    response: ServerResponse,
  ): Promise<void> {
    const { engine } = this.#options;
    const { context, defaultFormat: format = DEFAULT_FORMAT } = request;
    const { body } = await engine.run(victims, 'TabSeparatedRaw', { ...context, queryId: randomUUID() });
    const picked = new Set(body.toString('utf8').split('\n'));
    const killed = [...this.#running].filter(([id]) => picked.has(id)).map(([, running]) => running);
    for (const running of killed) running.letGo();
    const result = await engine.run(kill, format, context);
    if (sync) await this.#gone(killed);
    sendResult(response, { queryId: context.queryId, format, encoding: null }, result.body, result);
  }

  async #gone(killed: readonly Running[]): Promise<void> {
    const left = [...this.#running.values()].filter(({ abandoned }) => abandoned());
    await Promise.allSettled([...killed, ...left].map(({ settled }) => settled));
  }
}

/** `multipart/form-data` carries the query and long parameters as fields; anything else is the body. */
async function readForm(message: IncomingMessage, fields: URLSearchParams) {
  const type = message.headers['content-type'];
  if (!type?.startsWith('multipart/form-data')) return { fields, body: message as Readable };
  const web = Readable.toWeb(message) as unknown as ReadableStream;
  const form = await new Response(web, { headers: { 'content-type': type } }).formData();
  const merged = new URLSearchParams(fields);
  for (const [name, value] of form) {
    if (typeof value !== 'string')
      throw new EngineError(48, 'NOT_IMPLEMENTED', 'External tables are not supported.');
    merged.append(name, value);
  }
  return { fields: merged, body: Readable.from([]) };
}

function describe(error: unknown): EngineError {
  if (error instanceof MultipleStatements) {
    return new EngineError(62, 'SYNTAX_ERROR', 'Syntax error (Multi-statements are not allowed).');
  }
  return toEngineError(error);
}

function ok(response: ServerResponse): void {
  response.writeHead(200, { 'Content-Type': 'text/plain; charset=UTF-8' });
  response.end('Ok.\n');
}

function notFound(response: ServerResponse, path: string): void {
  response.writeHead(404, { 'Content-Type': 'text/plain; charset=UTF-8' });
  response.end(`There is no handle ${path}\n`);
}
