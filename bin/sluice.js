#!/usr/bin/env node
// Runs the CLI from its TypeScript sources on a Node that can (24 or newer); under an older one it
// hands over to the Node that `npm ci` installed beside it.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const major = Number.parseInt(process.versions.node, 10);
const main = new URL('../src/cli/main.ts', import.meta.url);

if (major >= 24) {
  // Types are stripped and modules compiled once, not at every start.
  nodeModule.enableCompileCache();
  await import(main);
} else {
  const pinned = fileURLToPath(new URL('../node_modules/node/bin/node', import.meta.url));
  if (!existsSync(pinned)) {
    process.stderr.write(`Sluice needs Node 24 or newer (this is ${process.versions.node}).\n`);
    process.stderr.write('Run `npm ci` in its folder: that installs one, for Sluice only.\n');
    process.exit(1);
  }
  const child = spawn(pinned, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both: the server takes two at once for one.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)));
}
