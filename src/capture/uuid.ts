import { hash } from 'node:crypto';

const TEXT = /^[\da-f]{8}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{4}-?[\da-f]{12}$/i;

/**
 * The 16 bytes of a UUID's text; null when it is none. Any 128 bits will do, whatever version they
 * claim: ClickHouse and PostHog take them too, and older clients make ids that are of no version.
 */
export function parseUuid(text: string): Buffer | null {
  return TEXT.test(text) ? Buffer.from(text.replaceAll('-', ''), 'hex') : null;
}

/** UUID version 5 (RFC 9562): the same for the same namespace (16 bytes) and name. */
export function uuidV5(namespace: Uint8Array, name: string): Buffer {
  const bytes = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'buffer').subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
