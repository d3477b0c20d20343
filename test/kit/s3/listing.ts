import type { Call, Reply } from './call.ts';
import type { Manners } from './manners.ts';
import { xmlName } from './multipart.ts';
import { S3Error } from './s3-error.ts';
import type { Store } from './store.ts';
import { document } from './xml.ts';

/** S3 lists in the order of the keys' UTF-8 bytes, which is not that of JavaScript's strings. */
const byKey = (a: { key: string }, b: { key: string }) =>
  Buffer.compare(Buffer.from(a.key), Buffer.from(b.key));

interface Page<T> {
  readonly items: readonly T[];
  readonly prefixes: readonly string[];
  /** Where the next page goes on; undefined = this is the last. */
  readonly last: string | undefined;
}

export function listObjects(store: Store, call: Call): Reply {
  const bucket = store.bucket(call.bucket);
  const token = call.query.get('continuation-token');
  const after = token === null ? (call.query.get('start-after') ?? '') : fromToken(token);
  const limit = limitOf(call, 'max-keys');
  const encode = encoder(call);
  const page = cut([...bucket.objects.values()].sort(byKey), call, after, limit);
  const contents = page.items.map((object) => ({
    Key: encode(object.key),
    LastModified: new Date(object.modified).toISOString(),
    ETag: `"${object.etag}"`,
    Size: object.size,
    StorageClass: 'STANDARD',
  }));
  return {
    status: 200,
    body: document('ListBucketResult', {
      Name: bucket.name,
      Prefix: encode(call.query.get('prefix') ?? ''),
      Delimiter: optional(call.query.get('delimiter'), encode),
      StartAfter: optional(call.query.get('start-after'), encode),
      ContinuationToken: token ?? undefined,
      KeyCount: page.items.length + page.prefixes.length,
      MaxKeys: limit,
      EncodingType: call.query.get('encoding-type') ?? undefined,
      IsTruncated: page.last !== undefined,
      NextContinuationToken: page.last === undefined ? undefined : toToken(page.last),
      Contents: contents,
      CommonPrefixes: page.prefixes.map((prefix) => ({ Prefix: encode(prefix) })),
    }),
  };
}

export function listUploads(store: Store, call: Call, manners: Manners): Reply {
  const bucket = store.bucket(call.bucket);
  const limit = limitOf(call, 'max-uploads');
  const encode = encoder(call);
  const keyMarker = call.query.get('key-marker') ?? '';
  const idMarker = call.query.get('upload-id-marker') ?? '';
  const prefix = call.query.get('prefix') ?? '';
  const all = [...bucket.uploads.values()]
    .filter(({ key }) =>
      manners.listsUploadsByKey && prefix !== '' ? key === prefix : key.startsWith(prefix),
    )
    .sort((a, b) => byKey(a, b) || a.initiated - b.initiated || (a.id < b.id ? -1 : 1));
  const resume = all.findIndex((upload) => upload.key === keyMarker && upload.id === idMarker);
  const rest =
    resume >= 0
      ? all.slice(resume + 1)
      : all.filter((upload) => keyMarker === '' || byKey(upload, { key: keyMarker }) > 0);
  const page = rest.slice(0, limit);
  const last = rest.length > page.length ? page.at(-1) : undefined;
  const { uploadMarkers, endlessListings } = manners;
  const told = uploadMarkers === 'none' ? undefined : uploadMarkers === 'stuck' ? all[0] : last;
  const next = endlessListings ? { key: 'x', id: String(Number(idMarker) + 1) } : told;
  return {
    status: 200,
    body: document('ListMultipartUploadsResult', {
      Bucket: bucket.name,
      Prefix: encode(prefix),
      KeyMarker: encode(keyMarker),
      UploadIdMarker: idMarker,
      NextKeyMarker: next && encode(next.key),
      NextUploadIdMarker: next?.id,
      MaxUploads: limit,
      EncodingType: call.query.get('encoding-type') ?? undefined,
      IsTruncated: uploadMarkers !== undefined || next !== undefined,
      Upload: page.map((upload) => ({
        Key: encode(upload.key),
        UploadId: upload.id,
        Initiated: new Date(upload.initiated).toISOString(),
        StorageClass: 'STANDARD',
      })),
    }),
  };
}

export function listParts(store: Store, call: Call, { endlessListings = false }: Manners): Reply {
  const upload = store.upload(store.bucket(call.bucket), call.key, call.query.get('uploadId'));
  const limit = limitOf(call, 'max-parts');
  const marker = Number(call.query.get('part-number-marker') ?? 0);
  const rest = [...upload.parts.values()]
    .filter((part) => part.number > marker)
    .sort((a, b) => a.number - b.number);
  const page = rest.slice(0, limit);
  const truncated = rest.length > page.length;
  const next = truncated ? page.at(-1)?.number : endlessListings ? marker + 1 : undefined;
  return {
    status: 200,
    body: document('ListPartsResult', {
      Bucket: call.bucket,
      Key: call.key,
      UploadId: upload.id,
      PartNumberMarker: marker,
      NextPartNumberMarker: next,
      MaxParts: limit,
      IsTruncated: next !== undefined,
      Part: page.map((part) => ({
        PartNumber: part.number,
        LastModified: new Date(part.modified).toISOString(),
        ETag: `"${part.etag}"`,
        Size: part.blob.size,
        ...(upload.checksum && part.checksum ? { [xmlName(upload.checksum.name)]: part.checksum } : {}),
      })),
    }),
  };
}

/** Keys below the prefix, grouped by the delimiter; a group counts as one. */
function cut<T extends { key: string }>(
  sorted: readonly T[],
  call: Call,
  after: string,
  limit: number,
): Page<T> {
  const prefix = call.query.get('prefix') ?? '';
  const delimiter = call.query.get('delimiter') ?? '';
  const items: T[] = [];
  const prefixes: string[] = [];
  let last: string | undefined;
  for (const item of sorted) {
    if (!item.key.startsWith(prefix)) continue;
    const end = delimiter ? item.key.indexOf(delimiter, prefix.length) : -1;
    const group = end < 0 ? undefined : item.key.slice(0, end + delimiter.length);
    if (byKey({ key: group ?? item.key }, { key: after }) <= 0 || (group && prefixes.at(-1) === group))
      continue;
    if (items.length + prefixes.length === limit) return { items, prefixes, last };
    if (group) prefixes.push(group);
    else items.push(item);
    last = group ?? item.key;
  }
  return { items, prefixes, last: undefined };
}

function limitOf(call: Call, name: string): number {
  const limit = Number(call.query.get(name) ?? 1000);
  if (!Number.isInteger(limit) || limit < 0) throw new S3Error('InvalidArgument', `${name} is not valid`);
  return Math.min(limit, 1000);
}

function encoder(call: Call): (text: string) => string {
  return call.query.get('encoding-type') === 'url'
    ? (text) => encodeURIComponent(text).replaceAll('%2F', '/')
    : (text) => text;
}

const optional = (text: string | null, encode: (text: string) => string) =>
  text === null ? undefined : encode(text);
const toToken = (key: string) => Buffer.from(key).toString('base64url');
const fromToken = (token: string) => Buffer.from(token, 'base64url').toString('utf8');
