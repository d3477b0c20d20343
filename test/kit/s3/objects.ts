import { receive, receiveText } from './body.ts';
import type { Call, Reply } from './call.ts';
import { checkWrite, unchanged } from './conditions.ts';
import { describe, encryptionOf, etagOf, keptHeaders } from './object-headers.ts';
import { S3Error } from './s3-error.ts';
import type { Signed } from './signature.ts';
import type { Store, StoredObject } from './store.ts';
import { document, elementsOf, textOf } from './xml.ts';

const GIB = 2 ** 30;

export async function putObject(
  store: Store,
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
  now: () => number,
): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  checkWrite(call, bucket.objects.get(call.key));
  const { blob, result } = await store.keep((write) => receive(call, signed, source, write));
  if (blob.size > 5 * GIB)
    throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum allowed size');
  // Again: another writer may have been quicker while this body arrived.
  checkWrite(call, bucket.objects.get(call.key));
  const headers = keptHeaders(call);
  const etag = etagOf(result.md5, headers);
  const sum = result.checksum && { ...result.checksum, type: 'FULL_OBJECT' };
  await store.put(bucket, {
    key: call.key,
    blobs: [blob],
    size: blob.size,
    etag,
    modified: now(),
    headers,
    checksum: sum,
  });
  return {
    status: 200,
    headers: {
      etag: `"${etag}"`,
      ...encryptionOf(headers),
      ...(sum ? { [`x-amz-checksum-${sum.name}`]: sum.value, 'x-amz-checksum-type': sum.type } : {}),
    },
  };
}

export function getObject(store: Store, call: Call): Reply {
  const object = find(store, call);
  const range = rangeOf(call.headers.range, object.size);
  // The stored checksum is of the whole: S3 leaves it out of an answer that holds a part.
  const headers = describe(object, call.headers['x-amz-checksum-mode'] === 'ENABLED' && !range);
  if (unchanged(call, object)) return { status: 304, headers };
  const [start, end] = range ?? [0, object.size];
  return {
    status: range ? 206 : 200,
    headers: {
      ...headers,
      ...(range ? { 'content-range': `bytes ${start}-${end - 1}/${object.size}` } : {}),
    },
    length: end - start,
    ...(call.method === 'HEAD' ? {} : { body: store.read(object, start, end) }),
  };
}

export async function deleteObject(store: Store, call: Call): Promise<Reply> {
  await store.delete(store.bucket(call.bucket), call.key);
  return { status: 204 };
}

export async function deleteObjects(
  store: Store,
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  const sums = Object.keys(call.headers).some(
    (name) => name.startsWith('x-amz-checksum-') || name === 'x-amz-trailer',
  );
  if (call.headers['content-md5'] === undefined && !sums) {
    throw new S3Error(
      'InvalidRequest',
      'Missing required header for this request: Content-MD5 OR x-amz-checksum-*',
    );
  }
  const xml = await receiveText(call, signed, source);
  const keys = elementsOf(xml, 'Object').map((entry) => textOf(entry, 'Key'));
  if (keys.length === 0 || keys.length > 1000 || keys.includes(undefined)) {
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate');
  }
  for (const key of keys) await store.delete(bucket, key as string);
  const deleted = textOf(xml, 'Quiet') === 'true' ? [] : keys.map((Key) => ({ Key }));
  return { status: 200, body: document('DeleteResult', { Deleted: deleted }) };
}

export async function copyObject(store: Store, call: Call, now: () => number): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  const from = decodeURIComponent(String(call.headers['x-amz-copy-source'])).replace(/^\//, '');
  const cut = from.indexOf('/');
  const source = store.bucket(from.slice(0, cut)).objects.get(from.slice(cut + 1));
  if (!source)
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: from.slice(cut + 1) });
  if (source.size > 5 * GIB) throw new S3Error('InvalidRequest', 'The copy source is larger than 5 GiB');
  checkWrite(call, bucket.objects.get(call.key));
  const replace = call.headers['x-amz-metadata-directive'] === 'REPLACE';
  store.hold(source.blobs);
  const copy: StoredObject = {
    ...source,
    key: call.key,
    modified: now(),
    headers: replace ? keptHeaders(call) : source.headers,
  };
  await store.put(bucket, copy);
  const result = { ETag: `"${copy.etag}"`, LastModified: new Date(copy.modified).toISOString() };
  return { status: 200, body: document('CopyObjectResult', result) };
}

function find(store: Store, call: Call): StoredObject {
  const object = store.bucket(call.bucket).objects.get(call.key);
  if (object) return object;
  throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: call.key });
}

/** `[start, end)` of a single range; null = the whole (none asked for, or one S3 ignores). */
function rangeOf(header: string | undefined, size: number): [number, number] | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!match || (match[1] === '' && match[2] === '')) return null;
  const [from, to] = [match[1] ?? '', match[2] ?? ''];
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from);
  const end = from === '' || to === '' ? size : Math.min(size, Number(to) + 1);
  if (from !== '' && to !== '' && Number(to) < start) return null;
  if (start >= size) {
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      ActualObjectSize: String(size),
    });
  }
  return [start, end];
}
