import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { checkPassword, hashPassword, PASSWORD_COST, verifyPassword } from './passwords.ts';

const CHEAP = { N: 1024, r: 8, p: 1 };

it('a hash tells its own parameters, and stays good when the usual ones change', async () => {
  const { N, r, p } = PASSWORD_COST;
  const usual = await hashPassword('correct horse', randomBytes);
  expect(usual.split('$').slice(0, 4)).toEqual(['scrypt', ...[N, r, p].map(String)]);
  const older = await hashPassword('correct horse', randomBytes, CHEAP);
  for (const stored of [usual, older]) expect(await verifyPassword('correct horse', stored)).toBe(true);
  expect(await verifyPassword('correct horsf', older)).toBe(false);
});

it('two hashes of a password differ; two ways to type it do not', async () => {
  const [one, two] = await Promise.all(
    [1, 2].map(() => hashPassword('u\u0308ber alles', randomBytes, CHEAP)),
  );
  expect(one).not.toBe(two);
  expect(await verifyPassword('\u00fcber alles', String(one))).toBe(true);
});

it('nobody has no password, whatever it is', async () => {
  expect(await verifyPassword('', null, CHEAP)).toBe(false);
});

it.each([
  ['a'.repeat(7), false],
  ['a'.repeat(8), true],
  ['a'.repeat(200), true],
  ['a'.repeat(201), false],
])('%s: %s', (password, fits) => {
  const check = () => checkPassword(password, 'password');
  if (fits) check();
  else expect(check).toThrow(expect.objectContaining({ code: 'invalid_input', attr: 'password' }));
});
