import { describe, expect, it } from 'vitest';
import { parseBody } from './body.ts';

const FORM = 'application/x-www-form-urlencoded';
const part = (name: string, value: string) =>
  `--b\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
const multipart = (parts: readonly string[]) => Buffer.from(`${parts.join('')}--b--\r\n`);

describe('a form', () => {
  it('keeps all values of a repeated name, in order', async () => {
    expect(await parseBody(FORM, Buffer.from('a=1&b=x&a=2&a=3'))).toEqual({ a: ['1', '2', '3'], b: 'x' });
    const parts = [part('a', '1'), part('b', 'x'), part('a', '2')];
    expect(await parseBody('multipart/form-data; boundary=b', multipart(parts))).toEqual({
      a: ['1', '2'],
      b: 'x',
    });
  });

  it('may have a thousand fields and no more, for they are read before anybody knows who sends them', async () => {
    const fields = Array.from({ length: 1000 }, (_, n) => `f${n}=${n}`);
    expect(Object.keys((await parseBody(FORM, Buffer.from(fields.join('&')))) as object)).toHaveLength(1000);
    const refused = { code: 'parse_error', message: 'The form has more than 1000 fields.' };
    await expect(parseBody(FORM, Buffer.from('a&'.repeat(5_000_000)))).rejects.toMatchObject(refused);
    const parts = Array.from({ length: 100_000 }, () => part('a', ''));
    for (const boundary of ['boundary=b', 'boundary="b"', 'xboundary=z; boundary=b']) {
      const type = `multipart/form-data; ${boundary}`;
      await expect(parseBody(type, multipart(parts))).rejects.toMatchObject(refused);
    }
  });

  it('may have four header lines for each of them, in whatever field they are', async () => {
    const padded = (count: number) => [
      part('a', '1').replace('\r\n\r\n', `\r\n${'a: b\r\n'.repeat(count)}\r\n`),
    ];
    const type = 'multipart/form-data; boundary=b';
    expect(await parseBody(type, multipart(padded(3999)))).toEqual({ a: '1' });
    await expect(parseBody(type, multipart(padded(4000)))).rejects.toMatchObject({
      code: 'parse_error',
      message: 'The form has more than 4000 header lines.',
    });
  });
});
