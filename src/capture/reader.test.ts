import { expect, it } from 'vitest';
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
