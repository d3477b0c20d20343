import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { actorOf } from '../../http/actor.ts';
import { cursorPageSchema } from '../../http/cursor.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import { pageSchema } from '../../http/pagination.ts';
import { exportLogPage, logQuery } from '../log-page.ts';
import type { ResourcePorts } from '../ports.ts';
import { presentRun } from '../present.ts';
import { READ, TAG, WRITE } from '../routes.ts';
import { LogEntrySchema, RunSchema } from '../schema.ts';
import { readId } from '../store.ts';
import { cancelRun } from './cancel.ts';
import { listRuns, runsQuery } from './list.ts';
import { ACTIVE_RUN_STATES } from './machine.ts';
import { findRun, recordOnRun, retryRun } from './retry.ts';
import { shownRun } from './shown.ts';

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
        body: presentRun(shownRun(await findRun(ports.db, project.id, params))),
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
        if (!(await cancelRun(ports, run, (trx) => recordOnRun(trx, ports, actor, run, 'run_cancelled')))) {
          throw new SluiceError('invalid_input', {
            detail: (ACTIVE_RUN_STATES as readonly string[]).includes(run.status)
              ? 'A run that is replacing the files of an earlier one, or has just ended, cannot be cancelled.'
              : `A run that is ${run.status} cannot be cancelled.`,
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
      requireObject: ({ project, params }) => findRun(ports.db, project.id, params),
      response: { 200: pageSchema(LogEntrySchema) },
      handler: async ({ project, params, query, url }) => {
        const run = await findRun(ports.db, project.id, params);
        const of = { teamId: project.id, exportId: run.batch_export_id, runId: run.id };
        return { status: 200, body: await exportLogPage(ports, of, query, url) };
      },
    }),
  ];
}
