import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';

/**
 * Request durations by operation and status class. The labels are bounded: operations are ours, and what
 * matches none of them counts as `unknown`.
 */
export function installMetrics(app: FastifyInstance, registry: Registry): void {
  const duration = new Histogram({
    name: 'sluice_http_request_duration_seconds',
    help: 'Time from the arrival of a request to the end of its answer.',
    labelNames: ['operation', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers: [registry],
  });
  app.addHook('onResponse', async (request, reply) => {
    const operation = request.routeOptions.config.operationId ?? 'unknown';
    const status = `${Math.floor(reply.statusCode / 100)}xx`;
    duration.observe({ operation, status }, reply.elapsedTime / 1000);
  });
}
