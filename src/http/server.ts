import Fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { SluiceError } from '../errors/error.ts';
import type { Clock } from '../work/clock.ts';
import type { Authenticator } from './authenticator.ts';
import { installBodyParsers } from './body.ts';
import { answerBrokenRequest } from './broken-requests.ts';
import { type Description, describeApart } from './description.ts';
import { installDocsPage } from './docs-page.ts';
import type { Endpoint } from './endpoint.ts';
import { type ErrorAnswer, toErrorAnswer } from './envelope.ts';
import { listeningProblem } from './listening.ts';
import { installMetrics } from './metrics.ts';
import { NO_COMPILERS } from './no-compilers.ts';
import { installRequestLog } from './request-log.ts';
import { mountEndpoints } from './routes.ts';
import { type Readiness, systemEndpoints } from './system-endpoints.ts';
import { createApiThrottle } from './throttle.ts';

export interface ServerOptions {
  readonly endpoints: readonly Endpoint[];
  readonly authenticator: Authenticator;
  readonly log: Logger;
  readonly metrics: Registry;
  readonly clock: Clock;
  /** Asked by `/readyz`. */
  readonly readiness: () => Promise<Readiness>;
  /** `RATE_LIMIT_ENABLED` (contract.md §1.6). */
  readonly rateLimitEnabled: boolean;
  /** Projects that are not limited even then. Default: none. */
  readonly rateLimitExempt?: readonly number[];
  readonly version: string;
  /**
   * Whose `X-Forwarded-*` are believed: of so many proxies before this server, or of those at these addresses and in
   * these CIDR blocks. Default: 0.
   */
  readonly trustProxy?: number | string[];
  /** Serve the readable API page at `/api/docs`. Default true. */
  readonly docsPage?: boolean;
  /** Check every answer against its schema; for tests. Default false. */
  readonly verifyAnswers?: boolean;
  readonly timeouts?: Timeouts;
}

/** Milliseconds. A client that sends slower than this is answered 408 and hung up on. */
export interface Timeouts {
  /** For all headers of a request. */
  readonly headers: number;
  /** For a whole request, body included. */
  readonly request: number;
  /** How often overdue connections are looked for. */
  readonly checkEvery: number;
}

/** 20 MB in a minute is 2.8 Mbit/s, which the largest batches of a slow client still reach. */
const TIMEOUTS: Timeouts = { headers: 15_000, request: 60_000, checkEvery: 5_000 };

export interface Server {
  /** Starts listening; returns the URL to reach it at. Port 0 = any free one. Throws `bad_configuration`. */
  listen(host: string, port: number): Promise<string>;
  /** Stops accepting, lets requests in flight finish. */
  close(): Promise<void>;
}

/** Builds the HTTP server of the given endpoints, with the manners of contract.md §1. Does not listen yet. */
export async function createServer(options: ServerOptions): Promise<Server> {
  const app = createApp(options);
  installMetrics(app, options.metrics);
  installRequestLog(app, options.log);
  installBodyParsers(app);
  installErrors(app, options.log);
  let description: Promise<Description> | undefined;
  const openapi = () => {
    description ??= describeApart(endpoints, options.version).catch((error) => {
      description = undefined; // the next request tries again
      throw error;
    });
    return description;
  };
  const endpoints: readonly Endpoint[] = [
    ...options.endpoints,
    ...systemEndpoints({ readiness: options.readiness, metrics: options.metrics, openapi }),
  ];
  const refuseMethod = mountEndpoints(app, endpoints, {
    authenticator: options.authenticator,
    throttle: options.rateLimitEnabled
      ? createApiThrottle(options.clock, options.rateLimitExempt ?? [])
      : null,
    verifyAnswers: options.verifyAnswers ?? false,
  });
  app.setNotFoundHandler(async (request, reply) => {
    await refuseMethod(request, reply);
    throw new SluiceError('not_found');
  });
  if (options.docsPage ?? true) installDocsPage(app);
  await app.ready();
  return {
    async listen(host, port) {
      try {
        return reachable(await app.listen({ host, port }));
      } catch (error) {
        throw listeningProblem(error, host, port);
      }
    },
    close: () => app.close(),
  };
}

function createApp(options: ServerOptions): FastifyInstance {
  const timeouts = options.timeouts ?? TIMEOUTS;
  const app = Fastify({
    loggerInstance: options.log as FastifyBaseLogger,
    // One line per answer is request-log.ts's; a child logger per request would cost more than it tells.
    logController: new LogController({ disableRequestLogging: true }),
    childLoggerFactory: (logger) => logger,
    schemaController: NO_COMPILERS,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 1000 },
    trustProxy: trusted(options.trustProxy ?? 0),
    requestTimeout: timeouts.request,
    http: {
      headersTimeout: timeouts.headers,
      connectionsCheckingInterval: timeouts.checkEvery,
      // Otherwise answered by Node itself, outside the envelope.
      requireHostHeader: false,
    },
    return503OnClosing: false,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, _request, reply) => sendError(reply as FastifyReply, toErrorAnswer(error)),
  });
  // An `Expect` header we do not know is ignored, as HTTP allows; Node would answer 417 without a body.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  return app;
}

/** The proxy next to this server is number 0. */
const trusted = (proxies: number | string[]) =>
  typeof proxies === 'number' ? (_address: string, hop: number) => hop < proxies : proxies;

/** Every error leaves in the envelope of contract.md §1.4; what is ours to fix is logged whole. */
function installErrors(app: FastifyInstance, log: Logger): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff');
  });
  app.setErrorHandler((error, request, reply) => {
    const answer = toErrorAnswer(error);
    if (answer.bug) log.error({ err: error, operation: request.routeOptions.config.operationId }, 'crash');
    return sendError(reply, answer);
  });
}

function sendError(reply: FastifyReply, answer: ErrorAnswer): FastifyReply {
  reply.code(answer.status).headers(answer.headers).type('application/json');
  return reply.send(JSON.stringify(answer.body));
}

/** Listening everywhere is reached here. */
const reachable = (url: string) => url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
