import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { actorOf } from '../../http/actor.ts';
import { type Endpoint, endpoint } from '../../http/endpoint.ts';
import { limitOffsetPage, limitOffsetQuery, pageSchema } from '../../http/pagination.ts';
import { exportLogPage, logQuery } from '../log-page.ts';
import type { ResourcePorts } from '../ports.ts';
import { READ, WRITE } from '../routes.ts';
import { cancelRun } from '../runs/cancel.ts';
import { LogEntrySchema } from '../schema.ts';
import { record } from '../service.ts';
import { downloadBody } from './body.ts';
import { contentEndpoint } from './content.ts';
import { countBody, countRows } from './count-rows.ts';
import { createDownload } from './create.ts';
import { linkTo } from './link.ts';
import { DownloadSchema, ListedDownloadSchema, presentDownload } from './present.ts';
import { findDownload, listDownloads } from './store.ts';

/** What a client gets that follows the redirect, as most do by themselves. */
const fileContent = Type.String({
  format: 'binary',
  contentMediaType: 'application/octet-stream',
  description: 'The file, for clients that follow the redirect.',
});

/** contract.md §9. Ids are those of runs. */
export function downloadEndpoints(ports: ResourcePorts): Endpoint[] {
  const common = { area: 'project', tag: 'File downloads' } as const;
  const all = '/file_download_batch_exports';
  const one = `${all}/:id`;

  /** Of the first part and of a named one. */
  const download = (path: string, operationId: string, summary: string): Endpoint =>
    endpoint({
      ...common,
      method: 'GET',
      path,
      operationId,
      summary,
      scope: READ,
      response: { 200: fileContent, 302: null },
      handler: async ({ project, params, url }) => {
        const run = await findDownload(ports.db, project.id, params.id);
        const link = linkTo(ports, run, params.part, url);
        return { status: 302, headers: { location: link.href, 'cache-control': 'no-store' } };
      },
    });

  return [
    endpoint({
      ...common,
      method: 'GET',
      path: all,
      operationId: 'file_download_batch_exports_list',
      summary: 'List file downloads, newest first',
      scope: READ,
      query: Type.Object({ ...limitOffsetQuery }),
      response: { 200: pageSchema(ListedDownloadSchema) },
      handler: async ({ project, url }) => ({
        status: 200,
        body: await limitOffsetPage(url, (window) => listDownloads(ports.db, project.id, window)),
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: all,
      operationId: 'file_download_batch_exports_create',
      summary: 'Have files written for download',
      scope: WRITE,
      body: downloadBody,
      response: { 202: Type.Object({ id: Type.String({ format: 'uuid' }) }) },
      handler: async (request) => ({
        status: 202,
        body: { id: await createDownload(ports, actorOf(request), request.body) },
      }),
    }),
    endpoint({
      ...common,
      method: 'POST',
      path: `${all}/count_rows`,
      operationId: 'file_download_batch_exports_count_rows_create',
      summary: 'Count the rows that a query has',
      scope: WRITE,
      costly: true,
      body: countBody,
      response: { 200: Type.Object({ count: Type.Integer() }) },
      handler: async ({ project, body, signal }) => ({
        status: 200,
        body: { count: await countRows(ports, project, body, signal) },
      }),
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: one,
      operationId: 'file_download_batch_exports_retrieve',
      summary: 'Get a file download: how far it is, or its files',
      scope: READ,
      response: { 200: DownloadSchema },
      handler: async ({ project, params }) => ({
        status: 200,
        body: presentDownload(
          await findDownload(ports.db, project.id, params.id),
          ports.downloads.keepSeconds,
        ),
      }),
    }),
    download(
      `${one}/download`,
      'file_download_batch_exports_download_retrieve',
      'Go to the first file of a download',
    ),
    download(
      `${one}/download/:part`,
      'file_download_batch_exports_download_part_retrieve',
      'Go to a file of a download, by its id or its number from 0',
    ),
    endpoint({
      ...common,
      method: 'POST',
      path: `${one}/cancel`,
      operationId: 'file_download_batch_exports_cancel_create',
      summary: 'Cancel a file download that has not ended',
      scope: WRITE,
      response: { 200: Type.Object({ status: Type.Literal('Cancelled') }) },
      handler: async (request) => {
        const run = await findDownload(ports.db, request.project.id, request.params.id);
        const cancelled = await cancelRun(ports, run, (trx) =>
          record(trx, ports, actorOf(request), run, 'file_download_cancelled', {}),
        );
        if (cancelled) return { status: 200, body: { status: 'Cancelled' } };
        const detail = 'A download that has ended cannot be cancelled.';
        throw new SluiceError('invalid_input', { detail });
      },
    }),
    endpoint({
      ...common,
      method: 'GET',
      path: `${one}/logs`,
      operationId: 'file_download_batch_exports_logs_retrieve',
      summary: 'Log lines of a file download, newest first',
      scope: READ,
      query: logQuery,
      requireObject: ({ project, params }) => findDownload(ports.db, project.id, params.id),
      response: { 200: pageSchema(LogEntrySchema) },
      handler: async ({ project, params, query, url }) => {
        const run = await findDownload(ports.db, project.id, params.id);
        // All its lines are of its one run: `instance_id` may still name another, which wrote none.
        const of = { teamId: project.id, exportId: run.batch_export_id };
        return { status: 200, body: await exportLogPage(ports, of, query, url) };
      },
    }),
    contentEndpoint(ports),
  ];
}
