/** The process around chDB. Started by `start.ts`, lives as long as its parent, and answers HTTP. */
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '../../errors/error.ts';
import { systemClock } from '../../work/clock.ts';
import { type DirectoryLock, lockDirectory } from '../../work/directory-lock.ts';
import { Engine } from './engine.ts';
import { createFacade } from './facade.ts';
import { makePipes } from './pipes.ts';
import { ALIVE, QUERIES_AT_ONCE, type StartedMessage, type StartMessage } from './protocol.ts';

/** A child of a launcher that was just killed needs a moment to notice. */
const PREDECESSOR_MS = 5_000;
const LONGEST_STOP_MS = 5_000;

process.on('SIGINT', () => {}); // Ctrl-C reaches the whole group; the launcher decides
process.on('disconnect', dieNow);
process.once('message', (message) => void start(message as StartMessage));

/** Without cleaning up: ClickHouse's parts on disk are complete or absent at any moment. */
function dieNow(): void {
  process.kill(process.pid, 'SIGKILL');
}

/** From a thread of its own: closing the engine blocks this one until its queries are gone. */
function dieLater(ms: number): void {
  const code = `setTimeout(() => process.kill(process.pid, 'SIGKILL'), ${ms})`;
  new Worker(code, { eval: true }).unref();
}

async function start(options: StartMessage): Promise<void> {
  try {
    const lock = await lockWithPatience(join(options.dataDir, 'warehouse', 'engine.lock'));
    const folder = emptyFolder(join(options.dataDir, 'warehouse', 'passing'));
    const pipes = await makePipes(folder, QUERIES_AT_ONCE);
    const path = join(options.dataDir, 'warehouse', 'data');
    const engine = new Engine({ path, memory: options.memory }, dieNow);
    const facade = createFacade({ engine, pipes, folder, password: options.password });
    facade.server.listen(options.port, options.host);
    await once(facade.server, 'listening');
    process.once('SIGTERM', () => {
      dieLater(LONGEST_STOP_MS);
      void facade.drain().then(() => {
        facade.server.closeAllConnections();
        facade.server.close();
        engine.close();
        rmSync(folder, { recursive: true, force: true });
        lock.release();
        process.exit(0);
      });
    });
    answerWhile(engine);
    tell({ state: 'ready', port: (facade.server.address() as AddressInfo).port });
  } catch (error) {
    const code = error instanceof SluiceError ? error.code : 'warehouse_unavailable';
    tell({ state: 'failed', code, detail: (error as Error).message }, () => process.exit(1));
  }
}

/** One question at a time: behind one that hangs the others would take the threads that are left. */
function answerWhile(engine: Engine): void {
  let open: Promise<void> | undefined;
  process.on('message', (message) => {
    if (message !== ALIVE) return;
    open ??= engine.answer().finally(() => {
      open = undefined;
    });
    void open.then(() => process.send?.(ALIVE));
  });
}

async function lockWithPatience(file: string): Promise<DirectoryLock> {
  const deadline = systemClock.now() + PREDECESSOR_MS;
  for (;;) {
    try {
      return lockDirectory(file);
    } catch (error) {
      const held = error instanceof SluiceError && error.code === 'data_dir_locked';
      if (!held || systemClock.now() > deadline) throw error;
      await systemClock.sleep(20);
    }
  }
}

function emptyFolder(folder: string): string {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

function tell(message: StartedMessage, sent?: () => void): void {
  process.send?.(message, undefined, undefined, () => sent?.());
}
