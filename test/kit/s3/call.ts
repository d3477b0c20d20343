import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { S3Error } from './s3-error.ts';

export type Operation =
  | 'ListBuckets'
  | 'CreateBucket'
  | 'HeadBucket'
  | 'DeleteBucket'
  | 'GetBucketLocation'
  | 'ListObjectsV2'
  | 'ListMultipartUploads'
  | 'DeleteObjects'
  | 'PutObject'
  | 'CopyObject'
  | 'GetObject'
  | 'HeadObject'
  | 'DeleteObject'
  | 'CreateMultipartUpload'
  | 'UploadPart'
  | 'ListParts'
  | 'CompleteMultipartUpload'
  | 'AbortMultipartUpload';

/** One request, understood. */
export interface Call {
  readonly operation: Operation;
  readonly bucket: string;
  readonly key: string;
  readonly method: string;
  /** As sent: percent-encoded, before the question mark. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
}

/** What an operation answers; a text is XML. */
export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Readable;
  /** Bytes of a streamed body. */
  readonly length?: number;
}

/** Reads method, path, query and host. Path-style, or virtual-style for hosts `bucket.<any of hosts>`. */
export function callOf(request: IncomingMessage, hosts: readonly string[]): Call {
  const [rawPath = '/', search = ''] = split(request.url ?? '/');
  const path = decode(rawPath);
  const host = (request.headers.host ?? '').replace(/:\d+$/, '');
  const suffix = hosts.find((name) => host.endsWith(`.${name}`));
  const [bucket, key] = suffix
    ? [host.slice(0, -suffix.length - 1), path.slice(1)]
    : [path.slice(1).split('/', 1)[0] ?? '', path.slice(1).replace(/^[^/]*\/?/, '')];
  const query = new URLSearchParams(search);
  const method = request.method ?? 'GET';
  const operation = operationOf(method, bucket, key, query, request.headers);
  if (Buffer.byteLength(key) > 1024) throw new S3Error('KeyTooLongError', 'Your key is too long');
  return { operation, bucket, key, method, rawPath, query, headers: request.headers };
}

function split(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new S3Error('InvalidRequest', 'The path is not UTF-8, percent-encoded.');
  }
}

function operationOf(
  method: string,
  bucket: string,
  key: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): Operation {
  const has = (name: string) => query.has(name);
  const level = bucket === '' ? 'service' : key === '' ? 'bucket' : 'object';
  const found = {
    service: () => (method === 'GET' ? 'ListBuckets' : undefined),
    bucket: () => {
      if (method === 'GET' && has('uploads')) return 'ListMultipartUploads';
      if (method === 'GET' && has('location')) return 'GetBucketLocation';
      if (method === 'GET' && query.get('list-type') === '2') return 'ListObjectsV2';
      if (method === 'POST' && has('delete')) return 'DeleteObjects';
      return ({ PUT: 'CreateBucket', HEAD: 'HeadBucket', DELETE: 'DeleteBucket' } as const)[method];
    },
    object: () => {
      if (has('uploadId')) {
        if (method === 'PUT' && !has('partNumber')) return undefined;
        return (
          {
            PUT: 'UploadPart',
            GET: 'ListParts',
            POST: 'CompleteMultipartUpload',
            DELETE: 'AbortMultipartUpload',
          } as const
        )[method];
      }
      if (method === 'POST') return has('uploads') ? 'CreateMultipartUpload' : undefined;
      if (method === 'PUT' && headers['x-amz-copy-source']) return 'CopyObject';
      return ({ PUT: 'PutObject', GET: 'GetObject', HEAD: 'HeadObject', DELETE: 'DeleteObject' } as const)[
        method
      ];
    },
  }[level]() as Operation | undefined;
  if (found) return found;
  throw new S3Error(
    'NotImplemented',
    `This server does not know ${method} on a ${level} with these parameters.`,
  );
}
