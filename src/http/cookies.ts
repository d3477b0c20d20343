/** The value of a cookie in a `Cookie` header; null when there is none. Of several, the first is the most specific. */
export function readCookie(header: string | undefined, name: string): string | null {
  for (const pair of (header ?? '').split(';')) {
    const [key, ...rest] = pair.split('=');
    if (key?.trim() === name) return rest.join('=').trim() || null;
  }
  return null;
}

export interface CookieOptions {
  /** Seconds; 0 removes the cookie. */
  readonly maxAge: number;
  /** Scripts cannot read it. */
  readonly httpOnly: boolean;
  /** Goes over HTTPS only. */
  readonly secure: boolean;
}

/** A `Set-Cookie` header. The value must be of characters that need no quoting (base64url is). */
export function cookieHeader(name: string, value: string, options: CookieOptions): string {
  return [
    `${name}=${value}`,
    'Path=/',
    `Max-Age=${options.maxAge}`,
    'SameSite=Lax',
    ...(options.httpOnly ? ['HttpOnly'] : []),
    ...(options.secure ? ['Secure'] : []),
  ].join('; ');
}
