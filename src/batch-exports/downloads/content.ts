import { addAbortSignal } from 'node:stream';
import { Type } from 'typebox';
import { SluiceError } from '../../errors/error.ts';
import { type Answer, type Endpoint, type EndpointRequest, endpoint } from '../../http/endpoint.ts';
import { toErrorAnswer } from '../../http/envelope.ts';
import type { ResourcePorts } from '../ports.ts';
import { expiresAt } from './expiry.ts';
import { type Part, partsOf } from './parts.ts';
import type { DownloadSettings } from './settings.ts';
import { findSignedDownload } from './store.ts';

/** The path of a file's content; the name is for programs that go by a URL's ending. */
export const contentPath = (runId: string, fileId: string, name: string): string =>
  `/file_downloads/${runId}/${fileId}/${encodeURIComponent(name)}`;

type ContentPorts = Pick<ResourcePorts, 'db' | 'clock' | 'downloads'>;

/** The file itself: no key, but a signed link that expires; ranges, HEAD (contract.md §9). */
export function contentEndpoint(ports: ContentPorts): Endpoint {
  return endpoint({
    method: 'GET',
    area: 'root',
    path: '/file_downloads/:run_id/:file_id/:name',
    operationId: 'file_downloads_content',
    summary: 'The content of a file, by the link that a download gives.',
    tag: 'system',
    scope: 'public',
    hidden: true,
    query: Type.Object({
      expires: Type.Optional(Type.String()),
      signature: Type.Optional(Type.String()),
    }),
    response: { 200: Type.Unknown(), 206: Type.Unknown(), 416: Type.Unknown() },
    handler: async ({ params, query, method, headers }) => {
      const { run_id: runId = '', file_id: fileId = '', name = '' } = params;
      const now = ports.clock.now();
      const verdict = ports.downloads.links.check(contentPath(runId, fileId, name), query, now);
      if (verdict !== 'valid') throw new SluiceError('permission_denied', { detail: REFUSED[verdict] });
      const run = await findSignedDownload(ports.db, runId);
      const part = partsOf(run).find(({ id }) => id === fileId);
      if (!part || expiresAt(run, ports.downloads.keepSeconds) <= now) throw new SluiceError('not_found');
      return sendPart(ports.downloads, part, { method, headers });
    },
  });
}

const REFUSED = {
  expired: 'This link has expired; ask the download for a new one.',
  forged: 'This link is not valid; ask the download for one.',
} as const;

type Asked = Pick<EndpointRequest, 'method' | 'headers'>;

async function sendPart({ root, stopping }: DownloadSettings, part: Part, asked: Asked): Promise<Answer> {
  const path = part.key.split('/').map(encodeURIComponent).join('/');
  // A completed run's file never changes, so its id is a strong tag; the library's are weak, which no If-Range may name.
  const etag = `"${part.id}"`;
  const { range, 'if-range': ifRange = etag } = asked.headers;
  const headers = range && ifRange === etag ? { range } : {};
  const { send } = await import('@fastify/send');
  // The library looks at the method and the headers of a request only.
  const request = { method: asked.method, headers } as unknown as Parameters<typeof send>[0];
  const options = { root, cacheControl: false, contentType: false, etag: false, index: false };
  const sent = await send(request, path, options);
  if (sent.type !== 'file') {
    sent.stream.destroy();
    if (sent.statusCode === 404 || sent.type === 'directory') throw notHere();
    if (sent.statusCode !== 416) throw sent.metadata.error;
    const { body } = toErrorAnswer(new SluiceError('range_not_satisfiable'));
    return { status: 416, headers: { 'content-range': sent.headers['Content-Range'] ?? '' }, body };
  }
  return {
    status: sent.statusCode,
    headers: {
      ...sent.headers,
      etag,
      'content-type': BYTES,
      'content-disposition': `attachment; filename="${part.name}"`,
      'cache-control': 'private, no-store',
    },
    stream: addAbortSignal(stopping, sent.stream),
  };
}

const notHere = (): SluiceError =>
  new SluiceError('not_found', {
    detail:
      'The file is not on the disk of this server. Processes of one Sluice must share SLUICE_DOWNLOADS_ROOT; ' +
      'if they do, somebody removed the file, and the download has to be asked for again.',
  });

/**
 * Whatever the format: clients hand bytes of this type over untouched, where a type with "json" in its name makes some
 * parse a file of lines as one value, and `Content-Encoding` would make them decompress a file named `.gz`.
 */
const BYTES = 'application/octet-stream';
