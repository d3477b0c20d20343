import { Type } from 'typebox';
import type { RunRow } from '../../database/tables.ts';
import { SluiceError } from '../../errors/error.ts';
import { cursorPageSchema } from '../../http/cursor.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import { pageSchema } from '../../http/pagination.ts';
import { startRetry } from '../backfills/create.ts';
import { exportLogPage, logQuery } from '../log-page.ts';
import type { Actor, Db, ResourcePorts, Trx } from '../ports.ts';
import { presentRun } from '../present.ts';
import { actorOf, READ, TAG, WRITE } from '../routes.ts';
import { LogEntrySchema, RunSchema } from '../schema.ts';
import { record } from '../service.ts';
import { lockedExport, readId } from '../store.ts';
import { cancelRun } from './cancel.ts';
import { listRuns, runsQuery } from './list.ts';

/** contract.md §7.2. */
export function runEndpoints(ports: ResourcePorts): Endpoint[] {
  const common = { area: 'project', tag: TAG } as const;
  const all = '/batch_exports/:batch_export_id/runs';
  const one = `${all}/:id`;

  return [
    endpoint({
      ...common,
      method: 'GET',
      path: all,
      operationId: 'batch_exports_runs_list',
      summary: 'List runs of a batch export',
      scope: READ,
      query: runsQuery,
      response: { 200: cursorPageSchema(RunSchema) },
      handler: async ({ project, params, query, url }) => ({
        status: 200,
        body: await listRuns(ports, project, readId(params.batch_export_id), query, url),
      }),
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: one,
      operationId: 'batch_exports_runs_retrieve',
      summary: 'Get a run',
      scope: READ,
      response: { 200: RunSchema },
      handler: async ({ project, params }) => ({
        status: 200,
        body: presentRun(await findRun(ports.db, project.id, params)),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${one}/retry`,
      operationId: 'batch_exports_runs_retry_create',
      summary: 'Export the interval of a run again, replacing its output',
      scope: WRITE,
      response: { 201: Type.Object({ backfill_id: Type.String() }) },
      handler: async (request) => ({
        status: 201,
        body: { backfill_id: await retryRun(ports, actorOf(request), request.params) },
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${one}/cancel`,
      operationId: 'batch_exports_runs_cancel_create',
      summary: 'Cancel a run that has not ended',
      scope: WRITE,
      response: { 200: Type.Object({ cancelled: Type.Boolean() }) },
      handler: async (request) => {
        const run = await findRun(ports.db, request.project.id, request.params);
        const actor = actorOf(request);
        if (!(await cancelRun(ports, run, (trx) => recordRun(trx, ports, actor, run, 'run_cancelled')))) {
          throw new SluiceError('invalid_input', {
            detail: `A run that is ${run.status} cannot be cancelled.`,
          });
        }
        return { status: 200, body: { cancelled: true } };
      },
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: `${one}/logs`,
      operationId: 'batch_exports_runs_logs_retrieve',
      summary: 'Log lines of a run, newest first',
      scope: READ,
      query: logQuery,
      response: { 200: pageSchema(LogEntrySchema) },
      handler: async ({ project, params, query, url }) => {
        const run = await findRun(ports.db, project.id, params);
        const of = { teamId: project.id, exportId: run.batch_export_id, runId: run.id };
        return { status: 200, body: await exportLogPage(ports, of, query, url) };
      },
    }),
  ];
}

type Params = Readonly<Record<string, string>>;

/** No date window on one run, however old (contract.md §15). Throws `not_found`. */
async function findRun(db: Db | Trx, teamId: number, params: Params): Promise<RunRow> {
  const row = await db
    .selectFrom('batch_export_runs')
    .selectAll()
    .where('id', '=', readId(params.id))
    .where('batch_export_id', '=', readId(params.batch_export_id))
    .where('team_id', '=', teamId)
    .executeTakeFirst();
  if (!row) throw new SluiceError('not_found');
  return row;
}

async function retryRun(ports: ResourcePorts, actor: Actor, params: Params): Promise<string> {
  const { backfill, cancelled } = await ports.db.transaction().execute(async (trx) => {
    const batchExport = await lockedExport(trx, actor.teamId, params.batch_export_id);
    const run = await findRun(trx, actor.teamId, params);
    await recordRun(trx, ports, actor, run, 'run_retried');
    return startRetry(trx, ports, batchExport, run, ports.clock.now());
  });
  for (const runId of cancelled) ports.onRunCancelled(runId);
  return backfill.workflow_id;
}

const recordRun = (trx: Trx, ports: ResourcePorts, actor: Actor, run: RunRow, activity: string) =>
  record(trx, ports, actor, { id: run.batch_export_id }, activity, { run_id: run.id });
