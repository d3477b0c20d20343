import { expect, it } from 'vitest';
import { verdictOf } from './verdict.ts';

const NOW = Date.parse('2026-03-01T12:00:00Z');
const answer = (status: number, retryAfter?: string) => ({ status, retryAfter, text: 'said so' });

it.each([200, 201, 202, 204, 299])('%i takes the batch', (status) => {
  expect(verdictOf(answer(status), NOW)).toBeNull();
});

it.each([
  [302, 'destination_config'],
  [400, 'delivery_refused'],
  [401, 'destination_denied'],
  [403, 'destination_denied'],
  [404, 'destination_missing'],
  [405, 'destination_config'],
  [408, 'destination_unavailable'],
  [410, 'destination_missing'],
  [413, 'delivery_too_large'],
  [422, 'delivery_refused'],
  [429, 'destination_unavailable'],
  [500, 'destination_unavailable'],
  [503, 'destination_unavailable'],
])('%i is %s', (status, code) => {
  expect(verdictOf(answer(status), NOW)).toMatchObject({ code, message: expect.stringContaining('said so') });
});

it.each([
  ['7', 7],
  ['Sun, 01 Mar 2026 12:01:30 GMT', 90],
  ['Sun, 01 Mar 2026 11:00:00 GMT', 0],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is %s s', (text, seconds) => {
  expect(verdictOf(answer(429, text), NOW)?.retryAfter).toBe(seconds);
});
