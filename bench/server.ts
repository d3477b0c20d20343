import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectWarehouse } from '../src/warehouse/client.ts';
import { findRunningWarehouse } from '../src/warehouse/embedded/endpoint-file.ts';
import type { Warehouse } from '../src/warehouse/warehouse.ts';
import { type RunningSluice, startSluice } from '../test/kit/sluice.ts';

/** A folder that several servers use one after the other; removed at the end. */
export function dataFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'sluice-bench-server-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface Server extends AsyncDisposable {
  readonly sluice: RunningSluice;
  readonly project: string;
  /** The server's own engine, reached beside it. */
  readonly warehouse: Warehouse;
}

/** A real server in a process of its own, started and logging as for a user; `env` on top of what tests use. */
export async function startServer(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const sluice = await startSluice({ dataDir, nodeFlags: [], env: { SLUICE_LOG_LEVEL: 'info', ...env } });
  const running = await findRunningWarehouse(dataDir);
  if (!running) throw new Error('the server has no engine');
  const warehouse = connectWarehouse({ url: running.url, localFiles: true });
  return {
    sluice,
    project: `/api/projects/${sluice.ready.project_id}`,
    warehouse,
    [Symbol.asyncDispose]: async () => {
      await warehouse.close();
      await sluice.stop();
    },
  };
}

/** Calls the API; throws what it refuses. */
export async function call<Body>(
  server: Server,
  method: string,
  path: string,
  body?: unknown,
): Promise<Body> {
  const answer = await server.sluice.api<Body>(method, `${server.project}${path}`, body);
  if (answer.status < 300) return answer.body;
  throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}

export interface Run {
  readonly id: string;
  readonly status: string;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly records_completed: number | null;
  readonly latest_error: string | null;
  readonly data_interval_end: string;
}

/** Creates an export that never runs by itself; returns its id. */
export async function createExport(
  server: Server,
  interval: 'hour' | 'day',
  destination: Readonly<Record<string, unknown>>,
): Promise<string> {
  const body = { name: 'bench', model: 'events', interval, paused: true, destination };
  return (await call<{ id: string }>(server, 'POST', '/batch_exports/', body)).id;
}

/**
 * Exports one interval by a backfill; resolves with its run when that is seen to be Completed. `from` and `to` are
 * moments for an hourly export, dates for a daily one.
 */
export async function exportInterval(
  server: Server,
  exportId: string,
  [from, to]: readonly [from: string, to: string],
  pollMs = 100,
): Promise<Run> {
  const path = `/batch_exports/${exportId}/backfills/`;
  const body = { start_at: from, end_at: to };
  const { backfill_id: backfill } = await call<{ backfill_id: string }>(server, 'POST', path, body);
  return await finishedRun(server, exportId, (run) => run.backfill === backfill, pollMs);
}

/** Exports a run's interval again and waits for the end. */
export async function repeatRun(
  server: Server,
  exportId: string,
  runId: string,
  pollMs: number,
): Promise<Run> {
  // The answer names the workflow, as upstream's does, not the backfill.
  const known = new Set((await runsOf(server, exportId)).map(({ id }) => id));
  await call(server, 'POST', `/batch_exports/${exportId}/runs/${runId}/retry/`, {});
  return await finishedRun(server, exportId, (run) => !known.has(run.id), pollMs);
}

type ListedRun = Run & { readonly backfill: string | null };

const runsOf = async (server: Server, exportId: string): Promise<ListedRun[]> =>
  (await call<{ results: ListedRun[] }>(server, 'GET', `/batch_exports/${exportId}/runs/`)).results;

async function finishedRun(
  server: Server,
  exportId: string,
  isIt: (run: ListedRun) => boolean,
  pollMs: number,
): Promise<Run> {
  for (;;) {
    const run = (await runsOf(server, exportId)).find(isIt);
    if (run?.status === 'Completed') return run;
    if (run && run.status !== 'Starting' && run.status !== 'Running') {
      throw new Error(`the run ended as ${run.status}: ${run.latest_error}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** The process and its children's children, by /proc. */
export function processTree(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
    readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  );
  return [pid, ...children.flatMap(processTree)];
}
