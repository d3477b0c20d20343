import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '../errors/error.ts';
import type { Authenticator } from './authenticator.ts';
import { cookieHeader, readCookie } from './cookies.ts';
import type { Caller } from './endpoint.ts';

/** The names that the original web UI knows (contract.md §1.3). */
const SESSION_COOKIE = 'sessionid';
const CSRF_COOKIE = 'posthog_csrftoken';
const CSRF_HEADER = 'x-csrftoken';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);
const OWN_PAGES = new Set(['same-origin', 'none']);

/** A session lives this long after its last use, seconds: 14 days. */
export const SESSION_SECONDS = 14 * 86_400;

export const sessionToken = (headers: IncomingHttpHeaders): string | null =>
  readCookie(headers.cookie, SESSION_COOKIE);

/**
 * Both cookies of a session, for `Set-Cookie`. The CSRF token follows from the session's, so nothing else has to be
 * stored; pages may read it, and it tells nothing about the session's.
 */
export function sessionCookies(token: string, secure: boolean, maxAge = SESSION_SECONDS): string[] {
  return [
    cookieHeader(SESSION_COOKIE, token, { maxAge, httpOnly: true, secure }),
    cookieHeader(CSRF_COOKIE, csrfToken(token), { maxAge, httpOnly: false, secure }),
  ];
}

/** Removes both. */
export const endedSessionCookies = (secure: boolean): string[] =>
  [SESSION_COOKIE, CSRF_COOKIE].map((name) =>
    cookieHeader(name, '', { maxAge: 0, httpOnly: name === SESSION_COOKIE, secure }),
  );

const csrfToken = (token: string): string =>
  createHash('sha256').update(`csrf token of ${token}`).digest('base64url');

/**
 * Whether the browser's side speaks HTTPS. A proxy's word is enough here: who forges it keeps their own cookies off
 * plain HTTP, and nothing else.
 */
export const isSecure = (protocol: string, headers: IncomingHttpHeaders): boolean =>
  protocol.startsWith('https') || /^\s*https\b/i.test(String(headers['x-forwarded-proto'] ?? ''));

/**
 * The person of the session cookie; null = no session. Throws `permission_denied` for an unsafe method without the CSRF
 * token. Cookies that the browser lost, or whose time was prolonged, are set again.
 */
export async function callerOfSession(
  authenticator: Authenticator,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Caller | null> {
  const { headers } = request;
  const token = sessionToken(headers);
  const session = token === null ? null : await authenticator.authenticateSession(token);
  if (token === null || session === null) return null;
  if (!SAFE.has(request.method)) refuseForgery(request);
  if (session.prolonged || readCookie(headers.cookie, CSRF_COOKIE) === null) {
    reply.header('set-cookie', sessionCookies(token, isSecure(request.protocol, headers)));
  }
  return session.caller;
}

/** A page of another site can make a browser send the cookie; it can neither read it nor send the header. */
function refuseForgery({ headers, host }: FastifyRequest): void {
  const cookie = readCookie(headers.cookie, CSRF_COOKIE);
  const sent = headers[CSRF_HEADER];
  if (cookie === null || typeof sent !== 'string' || !sameText(cookie, sent)) {
    throw new SluiceError('permission_denied', {
      detail: `CSRF check failed: send the cookie ${CSRF_COOKIE} in the header X-CSRFToken.`,
    });
  }
  refuseForeignPage(headers, host);
}

/**
 * Browsers tell where a request comes from: by `Sec-Fetch-Site` over HTTPS and on this machine, by `Origin` everywhere; `host`
 * is the one that they asked. Other clients tell neither, and have no cookies to be tricked out of.
 */
export function refuseForeignPage(headers: IncomingHttpHeaders, host: string): void {
  const from = headers['sec-fetch-site'];
  if (from === undefined ? isOwnOrigin(headers.origin, host) : OWN_PAGES.has(String(from))) return;
  throw new SluiceError('permission_denied', {
    detail: 'CSRF check failed: the request comes from a page of another site.',
  });
}

/** Whoever speaks HTTPS before this server, the host is the same; ports that its protocol implies may be written or not. */
function isOwnOrigin(origin: string | undefined, host: string): boolean {
  if (origin === undefined) return true;
  const page = URL.parse(origin);
  return page !== null && page.host !== '' && page.host === URL.parse(`${page.protocol}//${host}`)?.host;
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
