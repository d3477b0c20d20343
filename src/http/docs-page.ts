import Fastify, { type FastifyInstance } from 'fastify';
import { SluiceError } from '../errors/error.ts';

/**
 * The readable API description at `/api/docs`. Script and style come from this server, and the policy
 * below holds the page to that: nothing is fetched from, or sent to, anywhere else.
 */
const POLICY = [
  "default-src 'self'",
  "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "frame-ancestors 'none'",
].join('; ');

const PATH = '/api/docs';
/** Of the page's own answers; the others are of the connection, which is ours. */
const HEADERS = ['content-type', 'location', 'etag', 'cache-control'];

/** The page is loaded when somebody opens it: it takes 0.1 s and 5 MB. */
export function installDocsPage(app: FastifyInstance): void {
  let page: Promise<FastifyInstance> | undefined;
  for (const url of [PATH, `${PATH}/*`]) {
    app.route({
      method: 'GET',
      url,
      config: { operationId: 'docs', quiet: true },
      handler: async (request, reply) => {
        page ??= loadPage();
        const answer = await (await page).inject({
          method: request.method as 'GET',
          url: request.url,
          headers: request.headers,
        });
        if (answer.statusCode === 404) throw new SluiceError('not_found');
        for (const name of HEADERS) {
          const value = answer.headers[name];
          if (value !== undefined) reply.header(name, value);
        }
        reply.header('content-security-policy', POLICY);
        return reply.code(answer.statusCode).send(answer.rawPayload);
      },
    });
  }
}

async function loadPage(): Promise<FastifyInstance> {
  const { default: scalar } = await import('@scalar/fastify-api-reference');
  const page = Fastify();
  await page.register(scalar, {
    routePrefix: PATH,
    configuration: {
      url: '/api/schema/?format=json',
      pageTitle: 'Sluice API',
      withDefaultFonts: false,
      telemetry: false,
      hideClientButton: true,
    },
  });
  await page.ready();
  return page;
}
