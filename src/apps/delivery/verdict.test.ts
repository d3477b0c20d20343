import { expect, it } from 'vitest';
import { PERHAPS_THE_BATCH, verdictOf } from './verdict.ts';

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

it.each([
  [403, undefined, true],
  [406, undefined, true],
  [500, undefined, true],
  [504, undefined, true],
  [500, '7', false],
  [503, undefined, false],
  [429, undefined, false],
  [401, undefined, false],
  [404, undefined, false],
  [302, undefined, false],
])('%i with Retry-After %s may be about the batch: %s', (status, retryAfter, perhaps) => {
  expect(verdictOf(answer(status, retryAfter), NOW)?.cause === PERHAPS_THE_BATCH).toBe(perhaps);
});
