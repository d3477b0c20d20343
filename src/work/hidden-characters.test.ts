import { expect, it } from 'vitest';
import { hasHiddenCharacters } from './hidden-characters.ts';

it.each([
  'ht\ttps://evil.example/',
  '\u0001https://evil.example/',
  'https://evil.example/\n',
  'https://evil.example/a b',
  'https://ev\u00adil.example/',
  'https://evil.example/\u200b',
])('%j', (text) => {
  // What makes them dangerous: to `new URL` they are fine.
  expect(new URL(text).protocol).toBe('https:');
  expect(hasHiddenCharacters(text)).toBe(true);
});

it.each(['https://user@example.com:8443/a%20b?c=d#e', 'https://bücher.example/ü'])('not %j', (text) => {
  expect(hasHiddenCharacters(text)).toBe(false);
});
