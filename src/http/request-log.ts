import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';

const SECRET_NAMES = new Set([
  'personal_api_key',
  'token',
  'api_key',
  'secret',
  'password',
  'key',
  'signature',
  // Of capture: whole events, in base64.
  'data',
]);
const KEY = /\bph[a-z]_[A-Za-z0-9_-]+/g;

/** One line for each answer, without headers and bodies, which hold keys and people's data. */
export function installRequestLog(app: FastifyInstance, log: Logger): void {
  app.addHook('onResponse', async (request, reply) => {
    const { quiet, operationId } = request.routeOptions.config;
    const level = quiet && reply.statusCode < 400 ? 'debug' : 'info';
    if (!log.isLevelEnabled(level)) return;
    log[level](
      {
        method: request.method,
        url: withoutSecrets(request.url),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        operation: operationId,
      },
      'request',
    );
  });
}

/** A URL fit for a log: values of secret parameters and anything shaped like a key are masked. */
export function withoutSecrets(url: string): string {
  const start = url.indexOf('?');
  const path = (start < 0 ? url : url.slice(0, start)).replace(KEY, '[secret]');
  if (start < 0) return path.slice(0, 2000);
  const query = new URLSearchParams(url.slice(start + 1));
  const shown = [...query].map(
    ([name, value]) =>
      `${name.replace(KEY, '[secret]')}=${SECRET_NAMES.has(name.toLowerCase()) ? '[secret]' : shownValue(value)}`,
  );
  return `${path}?${shown.join('&')}`.slice(0, 2000);
}

/** No parameter of the API takes JSON: this may be a body, with its secrets, sent to the wrong place. */
const shownValue = (value: string): string =>
  /[{"]/.test(value) ? '[json]' : value.replace(KEY, '[secret]');
