import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { prepareDatabase } from './prepared-database.ts';

const MAIN = fileURLToPath(new URL('../../bin/sluice.js', import.meta.url));

/**
 * A server of a test lives for seconds: optimizing the embedded database's WebAssembly is more work than it saves (118 → 85 s
 * of processor time for 30 kills).
 */
const SHORT_LIVED = ['--liftoff-only'];

export interface Ready {
  readonly url: string;
  readonly project_id: number;
  readonly organization_id: string;
  readonly project_api_key: string;
  readonly personal_api_key: string;
}

export interface RunningSluice {
  readonly ready: Ready;
  readonly dataDir: string;
  readonly process: ChildProcess;
  /** Everything written to stderr so far. */
  logs(): string;
  /** One call of the API with the personal key; the body is parsed. */
  api<Body = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<ApiAnswer<Body>>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** SIGKILL: nothing gets a chance to tidy up. */
  kill(): Promise<void>;
}

export interface ApiAnswer<Body> {
  readonly status: number;
  readonly body: Body;
}

export interface StartOptions {
  /** Default: a new temporary directory, removed by `stop`. */
  readonly dataDir?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Make the embedded database from nothing, as the first start on a machine does. Default: a prepared one. */
  readonly firstStart?: true;
  /** Default: those for a server that lives for seconds. */
  readonly nodeFlags?: readonly string[];
  /** Given the process as soon as there is one, long before it is ready. */
  readonly onSpawn?: (child: ChildProcess) => void;
}

const KEY = 'phx_a_key_that_only_tests_use_0123456789abcdef';

/** Starts a real server as a process of its own on a free port. */
export async function startSluice(options: StartOptions = {}): Promise<RunningSluice> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'sluice-test-'));
  if (!options.firstStart && !options.env?.DATABASE_URL) await prepareDatabase(dataDir);
  const child = spawn(
    process.execPath,
    [
      ...(options.nodeFlags ?? SHORT_LIVED),
      MAIN,
      'serve',
      '--port',
      '0',
      '--data-dir',
      dataDir,
      '--ready-json',
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        SLUICE_BOOTSTRAP_PERSONAL_API_KEY: KEY,
        SLUICE_ALLOWED_HOSTS: '127.0.0.1,localhost',
        SLUICE_JITTER: '0',
        SLUICE_LOG_LEVEL: 'debug',
        ...options.env,
      },
    },
  );
  options.onSpawn?.(child);
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let logs = '';
  child.stderr?.on('data', (chunk) => {
    logs += chunk;
  });
  const ready = await firstLine(child, exited, () => logs);
  const tidy = () => {
    if (!options.dataDir) rmSync(dataDir, { recursive: true, force: true });
  };
  return {
    ready,
    dataDir,
    process: child,
    logs: () => logs,
    api: (method, path, body) => call(ready, method, path, body),
    stop: async () => {
      child.kill('SIGTERM');
      const code = await exited;
      tidy();
      return code;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Null for a server that was killed before it was ready; throws for one that failed by itself. */
export function ifKilled(error: unknown): null {
  if (String(error).includes('sluice exited with null')) return null;
  throw error;
}

async function firstLine(
  child: ChildProcess,
  exited: Promise<number | null>,
  logs: () => string,
): Promise<Ready> {
  const { stdout } = child;
  if (!stdout) throw new Error('no stdout');
  const line = new Promise<string>((resolve) => createInterface({ input: stdout }).once('line', resolve));
  const died = exited.then((code) => {
    throw new Error(`sluice exited with ${code} before it was ready:\n${logs()}`);
  });
  return JSON.parse(await Promise.race([line, died])) as Ready;
}

async function call<Body>(
  ready: Ready,
  method: string,
  path: string,
  body?: unknown,
): Promise<ApiAnswer<Body>> {
  const response = await fetch(new URL(path, ready.url), {
    method,
    headers: {
      Authorization: `Bearer ${ready.personal_api_key}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text ? JSON.parse(text) : null) as Body };
}
