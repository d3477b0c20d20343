import { describe, expect, it } from 'vitest';
import { createReader, type SentRequest } from './reader.ts';

const KEY = 'phc_key';
const reader = createReader({
  projectByKey: async (key) => (key === KEY ? { id: 1 } : null),
  newUuid: () => new Uint8Array(16),
  personId: () => new Uint8Array(16),
});

function read(body: unknown, more: Partial<SentRequest> = {}) {
  const raw = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return reader.read({
    content: { raw, contentType: '', contentEncoding: '', compression: '' },
    protocol: 'events',
    query: { key: '', sentAt: '' },
    ip: null,
    receivedMicros: 1e15,
    ...more,
  });
}

const v1 = (key: string) => ({ v1: { authorization: `Bearer ${key}`, sdkInfo: '', requestTimestamp: '' } });

it('looks for the key before it looks at an event, wherever it stands', async () => {
  const bad = [{ event: 'e', distinct_id: 'd' }, 'no event'];
  const code = (code: string) => ({ code });
  await expect(read({ batch: bad })).rejects.toMatchObject(code('not_authenticated'));
  await expect(read({ api_key: 'phc_other', batch: bad })).rejects.toMatchObject(
    code('authentication_failed'),
  );
  await expect(read([{ token: 'phc_other' }, 7])).rejects.toMatchObject(code('authentication_failed'));
  const query = { key: 'phc_other', sentAt: '' };
  await expect(read(bad, { query })).rejects.toMatchObject(code('authentication_failed'));
  await expect(read({ api_key: KEY, batch: bad })).rejects.toMatchObject({
    ...code('incorrect_type'),
    attr: 'batch__1',
  });
});

it('looks for a key in the header before it looks at the body', async () => {
  const wrong = read('{', { protocol: v1('phc_other') });
  await expect(wrong).rejects.toMatchObject({ code: 'authentication_failed' });
  await expect(read('{', { protocol: v1(KEY) })).rejects.toMatchObject({ code: 'parse_error' });
});

it('refuses what holds more objects than events do, before it makes them', async () => {
  const body = `{"api_key":"${KEY}","batch":[${Array(200_000).fill('{}')}]}`;
  await expect(read(body)).rejects.toMatchObject({ code: 'request_too_large' });
});

describe('protocol v1', () => {
  const id = (digit: number) => `019af1f0-0000-7000-8000-00000000000${digit}`;
  const event = (digit: number, more = {}) => ({ uuid: id(digit), event: 'e', distinct_id: 'd', ...more });
  const send = (batch: unknown) => read({ batch }, { protocol: v1(KEY) });

  it('leaves a bad event out and says so, and keeps the others', async () => {
    const bad = [{ distinct_id: '' }, { event: undefined }, { properties: [] }];
    const { rows, results } = await send([event(0), ...bad.map((more, n) => event(n + 1, more)), event(4)]);
    expect(rows.count).toBe(2);
    expect(results).toEqual({
      [id(0)]: { result: 'ok' },
      [id(1)]: { result: 'drop', details: 'blank: distinct_id' },
      [id(2)]: { result: 'drop', details: 'required: event' },
      [id(3)]: { result: 'drop', details: 'incorrect_type: properties' },
      [id(4)]: { result: 'ok' },
    });
  });

  it.each([
    ['no events', [], 'empty', 'batch'],
    ['what is no event', [event(0), 7], 'incorrect_type', 'batch__1'],
    ['no id', [event(0), { event: 'e', distinct_id: 'd' }], 'required', 'batch__1__uuid'],
    ['an id that is none', [event(0), event(1, { uuid: 'nope' })], 'invalid_input', 'batch__1__uuid'],
    ['one id twice', [event(0), event(1, { uuid: id(0).toUpperCase() })], 'unique', 'batch__1__uuid'],
  ])('refuses a batch with %s', async (_, batch, code, attr) => {
    await expect(send(batch)).rejects.toMatchObject({ code, attr });
  });
});
