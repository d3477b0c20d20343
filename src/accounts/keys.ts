import { createHash, timingSafeEqual } from 'node:crypto';

/** `count` random bytes; a parameter so that tests are repeatable. */
export type RandomBytes = (count: number) => Buffer;

/** A new personal API key: `phx_` and 43 characters, 256 random bits. */
export const newPersonalApiKey = (random: RandomBytes): string => `phx_${random(32).toString('base64url')}`;

/** A new project key, which web pages carry: `phc_` and 43 characters. */
export const newProjectApiKey = (random: RandomBytes): string => `phc_${random(32).toString('base64url')}`;

/**
 * What is stored of a key. Plain SHA-256 is enough: keys are 256 random bits, nothing to guess. It is
 * also what requests are counted by (contract.md §1.6).
 */
export const hashKey = (key: string): string => `sha256$${createHash('sha256').update(key).digest('hex')}`;

/** Compares in constant time. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

/** What a person may see of a key to tell it from others: its prefix and its last four characters. */
export const maskKey = (key: string): string => `${key.slice(0, 4)}...${key.slice(-4)}`;
