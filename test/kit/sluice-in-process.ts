import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { loadConfig } from '../../src/config.ts';
import { startSluice } from '../../src/main.ts';
import type { Clock } from '../../src/work/clock.ts';
import { prepareDatabase } from './prepared-database.ts';

// biome-ignore lint/suspicious/noExplicitAny: answers are JSON whose shape each test asserts
export type Json = any;

export interface Answer {
  readonly status: number;
  readonly body: Json;
}

export interface InProcess {
  readonly url: string;
  readonly project: number;
  readonly projectApiKey: string;
  readonly personalApiKey: string;
  readonly filesRoot: string;
  /** One call with the key; the path is relative to the project. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Every page of a list. */
  all(path: string): Promise<Json[]>;
  stop(): Promise<void>;
}

const KEY = 'phx_a_key_that_only_tests_use_0123456789abcdef';

/** The whole server, with a clock of the test's own: schedules and retries need no waiting. */
export async function startInProcess(
  clock: Clock,
  env: Readonly<Record<string, string>> = {},
): Promise<InProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'sluice-in-process-'));
  const settings = { SLUICE_BOOTSTRAP_PERSONAL_API_KEY: KEY, SLUICE_JITTER: '0', ...env };
  await prepareDatabase(dataDir);
  const config = loadConfig({ port: '0', dataDir }, settings, dataDir);
  const sluice = await startSluice(config, { log: pino({ level: 'silent' }), clock });
  const { url, project_id: project, project_api_key: projectApiKey } = sluice.ready;
  const send = async (method: string, address: URL, body?: unknown): Promise<Answer> => {
    const response = await fetch(address, {
      method,
      headers: {
        Authorization: `Bearer ${KEY}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : null };
  };
  return {
    url,
    project,
    projectApiKey,
    personalApiKey: KEY,
    filesRoot: config.filesRoot,
    call: (method, path, body) => send(method, new URL(`/api/projects/${project}/${path}`, url), body),
    all: async (path) => {
      const found: Json[] = [];
      for (let next: string | null = `/api/projects/${project}/${path}`; next !== null; ) {
        const { body }: Answer = await send('GET', new URL(next, url));
        found.push(...body.results);
        next = body.next;
      }
      return found;
    },
    stop: async () => {
      await sluice.stop(2_000);
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
