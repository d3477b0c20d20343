import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { bodyText, decodeData, MAX_BODY_BYTES } from './body.ts';

const JSON_TEXT = '{"event":"größe 🙂","properties":{"n":12345678901234567890}}';
const base64 = Buffer.from(JSON_TEXT).toString('base64');
const gzip = gzipSync(JSON_TEXT);

function body(raw: Buffer | string, parts: Partial<Parameters<typeof bodyText>[0]> = {}) {
  return { raw: Buffer.from(raw), contentType: '', contentEncoding: '', compression: '', ...parts };
}

const form = 'application/x-www-form-urlencoded';

describe('bodyText', () => {
  it.each([
    ['plain JSON', body(JSON_TEXT, { contentType: 'application/json' })],
    ['JSON as text/plain', body(JSON_TEXT, { contentType: 'text/plain' })],
    ['with a byte order mark', body(`\uFEFF${JSON_TEXT}`)],
    ['white space around', body(` \n${JSON_TEXT}\r\n`)],
    ['posthog-node: gzip with a header', body(gzip, { contentEncoding: 'gzip' })],
    [
      'posthog-js: gzip as text/plain without one',
      body(gzip, { contentType: 'text/plain', compression: 'gzip-js' }),
    ],
    ['said to be gzip but plain', body(JSON_TEXT, { contentEncoding: 'gzip', compression: 'gzip-js' })],
    ['gzip twice', body(gzipSync(gzip), { contentEncoding: 'gzip' })],
    ['brotli', body(brotliCompressSync(JSON_TEXT), { contentEncoding: 'br' })],
    ['deflate', body(deflateSync(JSON_TEXT), { contentEncoding: 'deflate' })],
    ['zstd', body(zstdCompressSync(JSON_TEXT), { contentEncoding: 'zstd' })],
    ['base64', body(base64, { compression: 'base64' })],
    ['base64 unsaid', body(base64)],
    [
      'a beacon form',
      body(`data=${encodeURIComponent(base64)}`, { contentType: form, compression: 'base64' }),
    ],
    ['a form with bare plus signs', body(`data=${base64}`, { contentType: form })],
    ['a form of JSON', body(`data=${encodeURIComponent(JSON_TEXT)}`, { contentType: form })],
    ['a form of gzip', body(`data=${encodeURIComponent(gzip.toString('base64'))}&compression=gzip-js`)],
  ])('reads %s', async (_, sent) => expect(await bodyText(sent)).toBe(JSON_TEXT));

  it('reads JSON that is sent as a form, whatever stands in it', async () => {
    const json = ' {"event":"e","properties":{"url":"https://shop.example/?a=1&data=2&compression=base64"}}';
    expect(await bodyText(body(json, { contentType: form }))).toBe(json.trim());
    expect(await bodyText(body(`[${json}]`, { contentType: form }))).toBe(`[${json}]`);
  });

  it('refuses a form of more than a thousand fields', async () => {
    const fields = (count: number) => `data=${encodeURIComponent(base64)}${'&a'.repeat(count - 1)}`;
    expect(await bodyText(body(fields(1000), { contentType: form }))).toBe(JSON_TEXT);
    await expect(bodyText(body(fields(1001), { contentType: form }))).rejects.toMatchObject({
      code: 'parse_error',
    });
  });

  it('refuses more than 20 MB, sent or unpacked', async () => {
    const large = Buffer.alloc(MAX_BODY_BYTES + 1, 0x20);
    await expect(bodyText(body(large))).rejects.toMatchObject({ code: 'request_too_large' });
    await expect(bodyText(body(gzipSync(large)))).rejects.toMatchObject({ code: 'request_too_large' });
  });

  it('refuses a broken gzip', async () => {
    await expect(bodyText(body(gzip.subarray(0, 20)))).rejects.toMatchObject({ code: 'parse_error' });
  });

  it('puts U+FFFD for bytes that are no UTF-8', async () => {
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff]), Buffer.from('"}')]);
    expect(await bodyText(body(broken))).toBe('{"a":"\uFFFD"}');
  });
});

describe('decodeData', () => {
  it('leaves alone what is neither JSON nor base64', async () => {
    expect(await decodeData('<html>', '')).toBe('<html>');
  });
});
