import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** Signs links that anybody who has them may follow until they expire (contract.md §9). */
export interface LinkSigner {
  /** The link's query string. `expiresAt` in milliseconds since the epoch, rounded down to the second. */
  sign(path: string, expiresAt: number): URLSearchParams;
  /** `now` in milliseconds since the epoch. A forged link is never told apart by time or by its expiry. */
  check(path: string, query: SentSignature, now: number): 'valid' | 'expired' | 'forged';
}

export interface SentSignature {
  readonly expires?: string | undefined;
  readonly signature?: string | undefined;
}

/** The first secret signs, all of them check: links outlive a rotation of SLUICE_SECRET_KEY. */
export function createLinkSigner(secrets: readonly [string, ...string[]]): LinkSigner {
  const keys = secrets.map(deriveKey);
  return {
    sign(path, expiresAt) {
      const expires = String(Math.floor(expiresAt / 1000));
      const signature = signatureOf(keys[0] as Buffer, path, expires).toString('base64url');
      return new URLSearchParams({ expires, signature });
    },
    check(path, { expires = '', signature = '' }, now) {
      const sent = Buffer.from(signature, 'base64url');
      const matches = keys.map((key) => same(signatureOf(key, path, expires), sent));
      if (!matches.includes(true)) return 'forged';
      return Number(expires) * 1000 > now ? 'valid' : 'expired';
    },
  };
}

const signatureOf = (key: Buffer, path: string, expires: string): Buffer =>
  createHmac('sha256', key).update(`GET\n${path}\n${expires}`).digest();

const same = (expected: Buffer, sent: Buffer): boolean =>
  expected.length === sent.length && timingSafeEqual(expected, sent);

function deriveKey(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'sluice: file download links, v1', 32));
}
