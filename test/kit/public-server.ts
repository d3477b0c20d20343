import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createServer, type Server, type ServerOptions } from '../../src/http/server.ts';
import { systemClock } from '../../src/work/clock.ts';

/** A server of endpoints that anybody may call: it knows nobody, and logs nothing. */
export const createPublicServer = (
  options: Pick<ServerOptions, 'endpoints'> & Partial<ServerOptions>,
): Promise<Server> =>
  createServer({
    authenticator: {
      authenticate: async () => null,
      authenticateSession: async () => null,
      findProject: async () => null,
    },
    log: pino({ level: 'silent' }),
    metrics: new Registry(),
    clock: systemClock,
    readiness: async () => ({}),
    rateLimitEnabled: false,
    version: 'test',
    docsPage: false,
    ...options,
  });
