import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { type Endpoint, type EndpointRequest, endpoint } from '../http/endpoint.ts';
import { endedSessionCookies, isSecure, refuseForeignPage, sessionCookies } from '../http/sessions.ts';
import type { Logins } from './login.ts';

const Password = Type.String({ minLength: 1, maxLength: 1000, 'x-verbatim': true });

/** Of a login: anybody may send one. A password of the longest has 12 kB, every character written as two escapes. */
const MOST_BYTES = 16_384;

/** Logging in and out, for the web UI (contract.md §1.3). */
export function sessionEndpoints(logins: Pick<Logins, 'login' | 'logout'>): readonly Endpoint[] {
  const shared = { area: 'api', method: 'POST', tag: 'accounts' } as const;
  return [
    endpoint({
      ...shared,
      path: '/login',
      operationId: 'login_create',
      summary: 'Log in with e-mail and password: sets the cookies of a session.',
      scope: 'public',
      bodyLimit: MOST_BYTES,
      body: Type.Object({ email: Type.String({ minLength: 1, maxLength: 254 }), password: Password }),
      response: { 200: Type.Object({ success: Type.Boolean() }) },
      handler: async (request) => {
        // Or a foreign page could log a browser in as somebody else, who then reads what is done.
        refuseForeignPage(request.headers, request.url.host);
        const token = await logins.login({ ...request.body, ip: request.ip });
        return {
          status: 200,
          body: { success: true },
          headers: uncached(sessionCookies(token, overHttps(request))),
        };
      },
    }),
    endpoint({
      ...shared,
      path: '/logout',
      operationId: 'logout_create',
      summary: 'End the session of this browser.',
      scope: null,
      response: { 204: null },
      handler: async (request) => {
        const { userId, sessionId } = request.caller;
        if (sessionId === null) {
          throw new SluiceError('permission_denied', { detail: 'This is for sessions, not for API keys.' });
        }
        await logins.logout(userId, sessionId);
        return { status: 204, headers: uncached(endedSessionCookies(overHttps(request))) };
      },
    }),
  ];
}

const overHttps = ({ url, headers }: Pick<EndpointRequest, 'url' | 'headers'>): boolean =>
  isSecure(url.protocol, headers);

const uncached = (cookies: string[]) => ({ 'set-cookie': cookies, 'cache-control': 'no-store' });
