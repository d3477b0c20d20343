import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { SluiceError } from '../errors/error.ts';

/**
 * Secrets at rest: AES-256-GCM under a key derived from the instance's secret key. The text form is
 * `v1.<key id>.<nonce>.<ciphertext and tag>`, base64url.
 */
export interface Sealer {
  /** `context` names the place the secret belongs to; it opens nowhere else. */
  seal(text: string, context?: string): string;
  /** Throws `secret_unreadable` when it was sealed with a key that is not known, elsewhere, or changed. */
  unseal(sealed: string, context?: string): string;
  /** Whether it was sealed with the key that seals now, not with an older one that is to go. */
  isCurrent(sealed: string): boolean;
}

interface Key {
  readonly id: string;
  readonly bytes: Buffer;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/**
 * The first secret seals, all of them open: to rotate, put the new one in front and keep the old ones
 * until everything is stored again. `random` gives the nonces.
 */
export function createSealer(
  secrets: readonly [string, ...string[]],
  random: (count: number) => Buffer,
): Sealer {
  const current = deriveKey(secrets[0]);
  const known = new Map(secrets.map(deriveKey).map((key) => [key.id, key.bytes]));
  return {
    seal(text, context = '') {
      const nonce = random(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', current.bytes, nonce).setAAD(Buffer.from(context));
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return ['v1', current.id, nonce.toString('base64url'), sealed.toString('base64url')].join('.');
    },
    unseal(sealed, context = '') {
      const [version, id = '', nonce = '', payload = ''] = sealed.split('.');
      const key = known.get(id);
      if (version !== 'v1' || !key) throw new SluiceError('secret_unreadable');
      const bytes = Buffer.from(payload, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAAD(Buffer.from(context)).setAuthTag(bytes.subarray(-TAG_BYTES));
        return decipher.update(bytes.subarray(0, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
      } catch (cause) {
        throw new SluiceError('secret_unreadable', { cause });
      }
    },
    isCurrent: (sealed) => sealed.split('.')[1] === current.id,
  };
}

/** A short id of a key: tells keys apart without revealing them. */
export const keyId = (secret: string): string => deriveKey(secret).id;

/** Secrets have 32 bytes or more of entropy or length, so a plain HKDF is enough: nothing to slow down. */
function deriveKey(secret: string): Key {
  const bytes = Buffer.from(hkdfSync('sha256', secret, '', 'sluice: secrets at rest, v1', 32));
  return { id: createHash('sha256').update('key id').update(bytes).digest('hex').slice(0, 8), bytes };
}
