import { Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { actorOf } from '../http/actor.ts';
import { type Endpoint, endpoint } from '../http/endpoint.ts';
import { limitOffsetPage, limitOffsetQuery, pageSchema } from '../http/pagination.ts';
import { LEGACY_S3 } from './legacy/s3.ts';
import { listExports } from './list.ts';
import { exportLogPage, logQuery } from './log-page.ts';
import { pauseExport, unpauseExport } from './pausing.ts';
import type { ResourcePorts } from './ports.ts';
import { presentExport } from './present.ts';
import { latestRuns } from './runs/latest.ts';
import { BatchExportSchema, LogEntrySchema, patchSchema, writeSchema } from './schema.ts';
import { changeExport, createExport, deleteExport } from './service.ts';
import { findExport } from './store.ts';

export const TAG = 'Batch exports';
export const READ = 'batch_export:read';
export const WRITE = 'batch_export:write';

/** For `Endpoint.requireObject`: the export that the path calls `id`, or by another name. */
export const requireExport =
  ({ db }: Pick<ResourcePorts, 'db'>, param = 'id'): NonNullable<Endpoint['requireObject']> =>
  ({ project, params }) =>
    findExport(db, project.id, params[param]);

/** contract.md §4.2 and §6. */
export function resourceEndpoints(ports: ResourcePorts): Endpoint[] {
  const types = [
    ...[...ports.destinations.keys()].filter((type) => type !== 'FileDownload'),
    ...(ports.legacyS3 ? [LEGACY_S3] : []),
  ];
  const shown = async (row: Parameters<typeof presentExport>[0]) =>
    presentExport(row, await latestRuns(ports.db, row.id));
  const common = { area: 'project', tag: TAG } as const;
  const one = '/batch_exports/:id';
  const requireObject = requireExport(ports);

  return [
    endpoint({
      ...common,
      method: 'GET',
      path: '/batch_exports',
      operationId: 'batch_exports_list',
      summary: 'List batch exports, newest first',
      scope: READ,
      query: Type.Object({ ...limitOffsetQuery }),
      response: { 200: pageSchema(BatchExportSchema) },
      handler: async ({ project, url }) => ({
        status: 200,
        body: await limitOffsetPage(url, (window) => listExports(ports.db, [project.id], window)),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: '/batch_exports',
      operationId: 'batch_exports_create',
      summary: 'Create a batch export',
      scope: WRITE,
      body: writeSchema(types),
      response: { 201: BatchExportSchema },
      handler: async (request) => ({
        status: 201,
        body: await shown(await createExport(ports, actorOf(request), request.body)),
      }),
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: one,
      operationId: 'batch_exports_retrieve',
      summary: 'Get a batch export',
      scope: READ,
      response: { 200: BatchExportSchema },
      handler: async ({ project, params }) => ({
        status: 200,
        body: await shown(await findExport(ports.db, project.id, params.id)),
      }),
    }),
    endpoint({
      ...common,
      method: 'PUT',
      path: one,
      operationId: 'batch_exports_update',
      summary: 'Replace the settings of a batch export',
      scope: WRITE,
      body: writeSchema(types),
      requireObject,
      response: { 200: BatchExportSchema },
      handler: async (request) => ({
        status: 200,
        body: await shown(
          await changeExport(ports, actorOf(request), request.params.id, request.body, { replace: true }),
        ),
      }),
    }),
    endpoint({
      ...common,
      method: 'PATCH',
      path: one,
      operationId: 'batch_exports_partial_update',
      summary: 'Change settings of a batch export',
      scope: WRITE,
      body: patchSchema(types),
      requireObject,
      response: { 200: BatchExportSchema },
      handler: async (request) => ({
        status: 200,
        body: await shown(
          await changeExport(ports, actorOf(request), request.params.id, request.body, { replace: false }),
        ),
      }),
    }),
    endpoint({
      ...common,
      method: 'DELETE',
      path: one,
      operationId: 'batch_exports_destroy',
      summary: 'Delete a batch export; its runs stay listable',
      scope: WRITE,
      response: { 204: null },
      handler: async (request) => {
        await deleteExport(ports, actorOf(request), request.params.id);
        return { status: 204 };
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${one}/pause`,
      operationId: 'batch_exports_pause_create',
      summary: 'Pause a batch export',
      scope: WRITE,
      response: { 200: Type.Object({ paused: Type.Boolean() }) },
      handler: async (request) => {
        await pauseExport(ports, actorOf(request), request.params.id);
        return { status: 200, body: { paused: true } };
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${one}/unpause`,
      operationId: 'batch_exports_unpause_create',
      summary: 'Unpause a batch export, and make up for the pause if asked',
      scope: WRITE,
      body: Type.Object({
        backfill: Type.Optional(
          Type.Boolean({ description: 'Also export what the paused intervals missed.' }),
        ),
      }),
      requireObject,
      response: { 200: Type.Object({ paused: Type.Boolean() }) },
      handler: async (request) => {
        // As upstream has it, where the scheduler acts in the caller's current project (contract.md §6).
        if (request.caller.currentProjectId === null) throw new SluiceError('not_authenticated');
        const backfill = request.body.backfill ?? false;
        await unpauseExport(ports, actorOf(request), request.params.id, { backfill });
        return { status: 200, body: { paused: false } };
      },
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: `${one}/logs`,
      operationId: 'batch_exports_logs_retrieve',
      summary: 'Log lines of a batch export, newest first',
      scope: READ,
      query: logQuery,
      requireObject,
      response: { 200: pageSchema(LogEntrySchema) },
      handler: async ({ project, params, query, url }) => {
        const { id } = await findExport(ports.db, project.id, params.id);
        return {
          status: 200,
          body: await exportLogPage(ports, { teamId: project.id, exportId: id }, query, url),
        };
      },
    }),
  ];
}
