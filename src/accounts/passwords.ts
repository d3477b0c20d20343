import { scrypt, timingSafeEqual } from 'node:crypto';
import { SluiceError } from '../errors/error.ts';
import type { RandomBytes } from './keys.ts';

/** Of scrypt: memory is 128 · N · r bytes. */
export interface PasswordCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** 32 MB and three passes, about 0.2 s: one of the settings that OWASP holds for equal. Raised later, old hashes stay good. */
export const PASSWORD_COST: PasswordCost = { N: 2 ** 15, r: 8, p: 3 };
const BYTES = 32;
const SHORTEST = 8;
const LONGEST = 200;

/** Throws `invalid_input` for what is too short or too long to be a password. `attr` is the field to name. */
export function checkPassword(password: string, attr: string | null): void {
  if (password.length >= SHORTEST && password.length <= LONGEST) return;
  const detail = `A password has ${SHORTEST} to ${LONGEST} characters.`;
  throw new SluiceError('invalid_input', { attr, detail });
}

/** What is stored of a password, with the parameters that made it: `scrypt$N$r$p$salt$hash`, base64url. */
export async function hashPassword(
  password: string,
  random: RandomBytes,
  cost: PasswordCost = PASSWORD_COST,
): Promise<string> {
  const salt = random(16);
  const { N, r, p } = cost;
  const hash = await derive(password, salt, BYTES, cost);
  return ['scrypt', N, r, p, salt.toString('base64url'), hash.toString('base64url')].join('$');
}

/**
 * Whether it is the password. Compares in constant time, and without a stored hash does the same work for nothing: the
 * time taken must not tell which addresses have a password.
 */
export async function verifyPassword(
  password: string,
  stored: string | null,
  cost: PasswordCost = PASSWORD_COST,
): Promise<boolean> {
  const [kind, N, r, p, salt = '', hash = ''] = (stored ?? nobodys(cost)).split('$');
  if (kind !== 'scrypt') throw new Error('A stored password was hashed in a way this version does not know.');
  const expected = Buffer.from(hash, 'base64url');
  const found = await derive(password, Buffer.from(salt, 'base64url'), expected.length, {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  });
  return timingSafeEqual(found, expected) && stored !== null;
}

const nobodys = ({ N, r, p }: PasswordCost) => ['scrypt', N, r, p, 'A'.repeat(22), 'A'.repeat(43)].join('$');

/** Two keyboards may type the same character in two ways; NFKC makes them one. */
function derive(password: string, salt: Buffer, bytes: number, cost: PasswordCost): Promise<Buffer> {
  const options = { ...cost, maxmem: 256 * cost.N * cost.r };
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFKC'), salt, bytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}
