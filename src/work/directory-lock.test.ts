import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
afterAll(() => rmSync(directory, { recursive: true }));

const MODULE = new URL('./directory-lock.ts', import.meta.url).href;

/** Another process that holds `file` until it is killed. */
async function holder(file: string) {
  const code = `import { lockDirectory } from ${JSON.stringify(MODULE)};
    globalThis.lock = lockDirectory(${JSON.stringify(file)}); setInterval(() => {}, 1e6); process.send('held')`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  await once(child, 'message');
  return {
    pid: child.pid,
    kill: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

const refused = (message: RegExp) =>
  expect.objectContaining({ code: 'data_dir_locked', message: expect.stringMatching(message) });

it('is held by one process until it lets go or is killed', async () => {
  const file = join(directory, 'a.lock');
  const other = await holder(file);
  expect(() => lockDirectory(file)).toThrow(refused(RegExp(`in use by .* \\(pid ${other.pid}\\)`)));
  await other.kill();
  const mine = lockDirectory(file);
  expect(() => lockDirectory(file)).toThrow(refused(RegExp(`\\(pid ${process.pid}\\)`)));
  mine.release();
  lockDirectory(file).release();
  expect(readdirSync(directory)).toEqual(['a.lock.kernel']);
});

it('is seen from another container, where the pid in the file is nobody, and leaves its file alone', async () => {
  const file = join(directory, 'b.lock');
  const other = await holder(file);
  const elsewhere = JSON.stringify({ pid: 2 ** 22, started: '1' });
  writeFileSync(file, elsewhere);
  expect(() => lockDirectory(file)).toThrow(
    refused(/in use by another Sluice process, in another container/),
  );
  expect(readFileSync(file, 'utf8')).toBe(elsewhere);
  await other.kill();
  lockDirectory(file).release();
});

it('holds without the lock of the kernel, too: of a version that had none, or where the file system has none', async () => {
  const file = join(directory, 'c.lock');
  const other = await holder(file);
  rmSync(`${file}.kernel`);
  expect(() => lockDirectory(file)).toThrow(refused(RegExp(`\\(pid ${other.pid}\\)`)));
  await other.kill();
  lockDirectory(file).release();
});
