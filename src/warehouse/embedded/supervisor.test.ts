import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ALIVE } from './protocol.ts';
import { keepRunning } from './supervisor.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const HUNG_MS = 300_000;
const MESSAGE = { dataDir: '/nowhere', host: '127.0.0.1', port: 0, password: null, memory: 1 };

/** Processes that answer and end as real ones do, and get ready when the test says so. */
function stage() {
  const children: (ChildProcess & { ready(): void; end(signal: string): boolean })[] = [];
  const told: string[] = [];
  const spawn = (): ChildProcess => {
    const child = Object.assign(new EventEmitter(), {
      pid: children.length + 1,
      connected: true,
      exitCode: null,
      signalCode: null as string | null,
      send: (message: unknown) => {
        if (message === ALIVE) queueMicrotask(() => child.emit('message', ALIVE));
        return true;
      },
      kill: (signal: string) => child.end(signal),
      ready: () => child.emit('message', { state: 'ready', port: 8123 }),
      end: (signal: string) => {
        child.signalCode = signal;
        return child.emit('exit', null, signal);
      },
    });
    children.push(child as never);
    return child as never;
  };
  const tell = (_: object, message: string) => void told.push(message);
  const start = () => keepRunning(MESSAGE, { info: tell, warn: tell }, HUNG_MS, spawn);
  return { start, children, told };
}

async function started() {
  const { start, children, told } = stage();
  const starting = start();
  children[0]?.ready();
  return { running: await starting, children, told };
}

it('ends a process that does not get ready again, and gives the next twice as long', async () => {
  const { running, children, told } = await started();
  children[0]?.end('SIGSEGV');
  await vi.advanceTimersByTimeAsync(100);
  expect(children).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(HUNG_MS - 1);
  expect(children[1]?.signalCode).toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(children[1]?.signalCode).toBe('SIGKILL');
  await vi.advanceTimersByTimeAsync(200);
  expect(children).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(2 * HUNG_MS - 1);
  expect(children[2]?.signalCode).toBeNull();
  children[2]?.ready();
  await vi.advanceTimersByTimeAsync(HUNG_MS);
  expect(told.at(-1)).toBe('the warehouse is running again');
  expect(children[2]?.signalCode).toBeNull();
  await running.stop();
  expect(children[2]?.signalCode).toBe('SIGTERM');
});

it('stops while a process starts again, without waiting for it', async () => {
  const { running, children } = await started();
  children[0]?.end('SIGSEGV');
  await vi.advanceTimersByTimeAsync(100);
  await running.stop();
  expect(children[1]?.signalCode).toBe('SIGKILL');
  await vi.advanceTimersByTimeAsync(10 * HUNG_MS);
  expect(children).toHaveLength(2);
});
