import { describe, expect, it } from 'vitest';
import type { AppEvent } from '../catalogue/app.ts';
import { webhook } from '../catalogue/webhook.ts';
import { errorDetails, masker } from './write-details.ts';

const event = (properties: string): AppEvent => ({
  uuid: '0190f0c0-0000-7000-8000-000000000001',
  event: 'order placed',
  distinct_id: 'u1',
  timestamp: '2026-03-01T00:00:00.000000Z',
  created_at: '2026-03-01T00:00:00.000000Z',
  properties,
  person_id: '0190f0c0-0000-7000-8000-000000000002',
  person_properties: '{}',
  elements_chain: '',
});
const error = { name: 'delivery_refused', message: 'answered 400: bad s3cr"et-value' };
const mask = masker(webhook, { url: 'https://example.com', secret: 's3cr"et-value', authorization: 'abc' });

it('contract §12: names the error and the event', () => {
  expect(JSON.parse(errorDetails(error, [event('{"a":1}'), event('{}')], mask))).toMatchObject({
    error: { name: 'delivery_refused' },
    event: { event: 'order placed', properties: { a: 1 } },
    eventCount: 2,
  });
});

it('masks secrets in every spelling', () => {
  const text = errorDetails(error, [event('{"echo":"s3cr\\"et-value","b64":"czNjciJldC12YWx1ZQ=="}')], mask);
  expect(text).not.toContain('et-value');
  expect(text).not.toContain('czNjciJldC12YWx1ZQ');
  expect(text).toContain('[secret]');
});

it('cuts an event of any size to 10 kB', () => {
  const text = errorDetails(error, [event(JSON.stringify({ a: '"'.repeat(50_000) }))], mask);
  expect(text.length).toBeLessThan(11_000);
  expect(JSON.parse(text).event.uuid).toBe('0190f0c0-0000-7000-8000-000000000001');
});

describe('secrets that a receiver repeats', () => {
  const masked = (config: Readonly<Record<string, string>>, text: string) => masker(webhook, config)(text);
  const basic = `Basic ${Buffer.from('someone:open sesame').toString('base64')}`;

  it.each([
    [
      'without its scheme',
      { authorization: 'Bearer tok-12345' },
      'invalid token tok-12345.',
      'invalid token [secret].',
    ],
    ['Basic, as it was sent', { authorization: basic }, `no: ${basic.slice(6)}`, 'no: [secret]'],
    ['Basic, decoded', { authorization: basic }, 'no someone:open sesame!', 'no [secret]!'],
    [
      'Basic, the password',
      { authorization: basic },
      'wrong password "open sesame"',
      'wrong password "[secret]"',
    ],
    [
      'one that another begins with',
      { secret: 'abcdef', authorization: 'abcdef-tail' },
      'x abcdef-tail',
      'x [secret]',
    ],
    [
      'cut in the middle',
      { authorization: 'Bearer tok-12345' },
      'invalid token tok-12',
      'invalid token [secret]',
    ],
    ['too short to be told from words', { authorization: 'Bearer abc' }, 'abc', 'abc'],
  ])('%s', (_, config, text, expected) => {
    expect(masked(config, text)).toBe(expected);
  });
});
