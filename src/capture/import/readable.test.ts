import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readableSize } from './readable.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-readable-'));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);
const write = (name: string, text: string) => writeFileSync(at(name), text);

it('measures files', async () => {
  write('a.jsonl', '{}\n');
  write('none.jsonl', '');
  write('a.parquet', 'PAR1PAR1');
  expect(
    await Promise.all(['a.jsonl', 'none.jsonl', 'a.parquet'].map((name) => readableSize(at(name)))),
  ).toEqual([3, 0, 8]);
});

it.each<[string, () => void, string]>([
  ['directory', () => mkdirSync(at('directory')), 'is a directory; name the files in it.'],
  ['empty.parquet', () => write('empty.parquet', ''), 'is empty.'],
  ['text.parquet', () => write('text.parquet', '{"a":1}'), 'is no Parquet file.'],
  ['loop', () => symlinkSync('loop', at('loop')), 'cannot be read (ELOOP).'],
])('%s is refused in a sentence', async (name, make, words) => {
  make();
  await expect(readableSize(at(name))).rejects.toMatchObject({
    code: 'invalid_input',
    message: `${at(name)} ${words} Nothing was stored.`,
  });
});

it('a file that is not there', async () => {
  await expect(readableSize(at('nowhere'))).rejects.toMatchObject({ code: 'not_found' });
});

it.skipIf(process.getuid?.() === 0)('a file that one may not read', async () => {
  write('locked', '{}');
  chmodSync(at('locked'), 0);
  await expect(readableSize(at('locked'))).rejects.toMatchObject({
    message: expect.stringContaining('may not be read by this user (EACCES)'),
  });
});
