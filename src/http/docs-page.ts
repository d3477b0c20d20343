import scalar from '@scalar/fastify-api-reference';
import type { FastifyInstance } from 'fastify';

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

export async function installDocsPage(app: FastifyInstance): Promise<void> {
  await app.register(async (page) => {
    page.addHook('onSend', async (_request, reply) => {
      reply.header('content-security-policy', POLICY);
    });
    await page.register(scalar, {
      routePrefix: '/api/docs',
      configuration: {
        url: '/api/schema/?format=json',
        pageTitle: 'Sluice API',
        withDefaultFonts: false,
        telemetry: false,
        hideClientButton: true,
      },
    });
  });
}
