import { Type } from 'typebox';
import { actorOf } from '../../http/actor.ts';
import { cursorPageSchema, cursorQuery } from '../../http/cursor.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import type { ResourcePorts } from '../ports.ts';
import { READ, requireExport, TAG, WRITE } from '../routes.ts';
import { BackfillSchema } from '../schema.ts';
import { readId } from '../store.ts';
import { listBackfills, retrieveBackfill } from './list.ts';
import { cancelBackfill, createBackfill } from './service.ts';

const bound = (what: string) =>
  Type.Optional(
    Type.Unsafe<unknown>({
      description: `${what}: a moment with its offset for hourly exports and below, a date for daily and weekly ones.`,
    }),
  );

/** Read without rules: the export is looked up first, and its interval says what a date looks like. */
const body = Type.Object({
  start_at: bound('Where the range begins, null = all history'),
  end_at: bound('Where it ends, exclusive; null = catch up, then unpause the export (HTTP and NoOp only)'),
});

/** contract.md §8.2, and the old address of §14. */
export function backfillEndpoints(ports: ResourcePorts): Endpoint[] {
  const common = { area: 'project', tag: TAG } as const;
  const all = '/batch_exports/:batch_export_id/backfills';
  const answer = Type.Object({ backfill_id: Type.String({ format: 'uuid' }) });

  return [
    endpoint({
      ...common,
      method: 'GET',
      path: all,
      operationId: 'batch_exports_backfills_list',
      summary: 'List backfills of a batch export',
      scope: READ,
      query: Type.Object({ ...cursorQuery }),
      response: { 200: cursorPageSchema(BackfillSchema) },
      handler: async ({ project, params, query, url }) => ({
        status: 200,
        body: await listBackfills(ports, project.id, readId(params.batch_export_id), query.ordering, url),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: all,
      operationId: 'batch_exports_backfills_create',
      summary: 'Export a range of the past',
      scope: WRITE,
      requireObject: requireExport(ports, 'batch_export_id'),
      body,
      response: { 201: answer },
      handler: async (request) => {
        const { id } = await createBackfill(
          ports,
          actorOf(request),
          request.params.batch_export_id,
          request.body,
        );
        return { status: 201, body: { backfill_id: id } };
      },
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: `${all}/:id`,
      operationId: 'batch_exports_backfills_retrieve',
      summary: 'Get a backfill',
      scope: READ,
      response: { 200: BackfillSchema },
      handler: async ({ project, params }) => ({
        status: 200,
        body: await retrieveBackfill(ports, project.id, params),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${all}/:id/cancel`,
      operationId: 'batch_exports_backfills_cancel_create',
      summary: 'Cancel a backfill and its runs',
      scope: WRITE,
      response: { 200: Type.Object({ cancelled: Type.Boolean() }) },
      handler: async (request) => {
        const { batch_export_id: exportId, id } = request.params;
        await cancelBackfill(ports, actorOf(request), exportId, id);
        return { status: 200, body: { cancelled: true } };
      },
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: '/batch_exports/:id/backfill',
      operationId: 'batch_exports_backfill_create',
      summary: 'Export a range of the past (old address)',
      scope: WRITE,
      requireObject: requireExport(ports),
      body,
      response: { 200: answer },
      handler: async (request) => {
        const { id } = await createBackfill(ports, actorOf(request), request.params.id, request.body);
        return { status: 200, body: { backfill_id: id } };
      },
    }),
  ];
}
