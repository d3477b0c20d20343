import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const LAUNCHER = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));
/** Makes this Node one that the launcher takes for too old. */
const OLD =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.0.0'}})";
/** Gives a program a terminal of its own (util-linux). */
const SCRIPT = '/usr/bin/script';
const folder = mkdtempSync(join(tmpdir(), 'sluice-launcher-'));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** `sluice warehouse` under an old Node, ready. */
async function launch(name: string, terminal: boolean): Promise<ChildProcess> {
  const words = ['--import', OLD, LAUNCHER, 'warehouse', '--port', '0', '--data-dir', join(folder, name)];
  const quoted = [process.execPath, ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const [file, args] = terminal
    ? [SCRIPT, ['-qec', `exec ${quoted}`, '/dev/null']]
    : [process.execPath, words];
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  started.push(child);
  let printed = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    printed += chunk;
    if (printed.includes('http://')) break;
  }
  child.stdout.resume();
  return child;
}

it.skipIf(!existsSync(SCRIPT))('under an older Node, Ctrl-C in a terminal is one signal', async () => {
  const child = await launch('terminal', true);
  child.stdin?.write('\u0003');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('under an older Node, SIGINT to the launcher alone stops what it started', async () => {
  const child = await launch('alone', false);
  child.kill('SIGINT');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
