import { hash } from 'node:crypto';
import { v7 } from 'uuid';

const DASH = 0x2d;
/** Of every character code below 128, the value as a hexadecimal digit; -1 = none. */
const DIGITS = Int8Array.from({ length: 128 }, (_, code) =>
  '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase()),
);

/**
 * The 16 bytes of a UUID's text, with or without any of its dashes; null when it is none. Any 128 bits will do, whatever
 * version they claim: ClickHouse and PostHog take them too, and older clients make ids that are of no version.
 */
export function parseUuid(text: string): Uint8Array | null {
  const bytes = new Uint8Array(16);
  let at = 0;
  for (let index = 0; index < 16; index++) {
    const mayBreak = index === 4 || index === 6 || index === 8 || index === 10;
    if (mayBreak && text.charCodeAt(at) === DASH) at++;
    const high = DIGITS[text.charCodeAt(at)] ?? -1;
    const low = DIGITS[text.charCodeAt(at + 1)] ?? -1;
    if (high < 0 || low < 0) return null;
    bytes[index] = high * 16 + low;
    at += 2;
  }
  return at === text.length ? bytes : null;
}

/** A new UUIDv7, 16 bytes. */
export const newUuid = (): Uint8Array => v7({}, new Uint8Array(16));

/** UUID version 5 (RFC 9562): the same for the same namespace (16 bytes) and name. */
export function uuidV5(namespace: Uint8Array, name: string): Buffer {
  const bytes = hash('sha1', Buffer.concat([namespace, Buffer.from(name)]), 'buffer').subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** Ids of events that come without one of their own; a namespace of ours, chosen once at random. */
const NAMESPACE = Buffer.from('a7b04a6c36f84a539f0e6a0b6a4f4c35', 'hex');

/** An id for what a text says: the same whenever the same comes again. */
export const derivedUuid = (seed: string): Buffer => uuidV5(NAMESPACE, seed);
