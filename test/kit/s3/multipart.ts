import { createHash, randomUUID } from 'node:crypto';
import { receive, receiveText } from './body.ts';
import type { Call, Reply } from './call.ts';
import { type ChecksumName, checksum, checksumNames, compositeOf } from './checksums.ts';
import { checkWrite } from './conditions.ts';
import { encryptionOf, etagOf, keptHeaders } from './object-headers.ts';
import { S3Error } from './s3-error.ts';
import type { Signed } from './signature.ts';
import type { Part, Store, StoredObject, Upload } from './store.ts';
import { document, elementsOf, textOf } from './xml.ts';

const MIB = 1 << 20;
const MIN_PART = 5 * MIB;
const MAX_PART = 5 * 1024 * MIB;
const MAX_PARTS = 10_000;

export function createUpload(store: Store, call: Call, now: () => number): Reply {
  const bucket = store.bucket(call.bucket);
  const name = String(call.headers['x-amz-checksum-algorithm'] ?? '').toLowerCase();
  if (name !== '' && !isChecksum(name)) {
    throw new S3Error('InvalidRequest', 'Checksum algorithm provided is unsupported.');
  }
  const type = String(
    call.headers['x-amz-checksum-type'] ?? (name === 'crc64nvme' ? 'FULL_OBJECT' : 'COMPOSITE'),
  );
  const upload: Upload = {
    id: randomUUID().replaceAll('-', ''),
    key: call.key,
    initiated: now(),
    headers: keptHeaders(call),
    checksum: isChecksum(name) ? { name, type } : null,
    parts: new Map(),
  };
  bucket.uploads.set(upload.id, upload);
  const body = { Bucket: call.bucket, Key: call.key, UploadId: upload.id };
  return {
    status: 200,
    headers: encryptionOf(upload.headers),
    body: document('InitiateMultipartUploadResult', body),
  };
}

export async function uploadPart(
  store: Store,
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
  now: () => number,
): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  const number = Number(call.query.get('partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > MAX_PARTS) {
    throw new S3Error(
      'InvalidArgument',
      `Part number must be an integer between 1 and ${MAX_PARTS}, inclusive`,
    );
  }
  const upload = store.upload(bucket, call.key, call.query.get('uploadId'));
  const wanted = upload.checksum?.name ?? null;
  const { blob, result } = await store.keep((write) => receive(call, signed, source, write, wanted));
  try {
    if (blob.size > MAX_PART)
      throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum size');
    if (result.checksum && result.checksum.name !== wanted) {
      throw new S3Error(
        'InvalidRequest',
        `Checksum Type mismatch occurred, expected checksum Type: ${wanted}, actual checksum Type: ${result.checksum.name}`,
      );
    }
    // Again: the upload may have been aborted or completed while this body arrived.
    store.upload(bucket, call.key, upload.id);
  } catch (error) {
    await store.release([blob]);
    throw error;
  }
  const etag = etagOf(result.md5, upload.headers);
  const old = upload.parts.get(number);
  upload.parts.set(number, { number, blob, etag, modified: now(), checksum: result.checksum?.value ?? null });
  if (old) await store.release([old.blob]);
  return {
    status: 200,
    headers: {
      etag: `"${etag}"`,
      ...encryptionOf(upload.headers),
      ...(result.checksum ? { [`x-amz-checksum-${result.checksum.name}`]: result.checksum.value } : {}),
    },
  };
}

export async function completeUpload(
  store: Store,
  call: Call,
  signed: Signed,
  source: AsyncIterable<Buffer>,
  now: () => number,
): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  const xml = await receiveText(call, signed, source);
  const upload = store.upload(bucket, call.key, call.query.get('uploadId'));
  checkWrite(call, bucket.objects.get(call.key));
  const parts = choose(upload, xml);
  const sum = await checksumOf(store, call, upload, parts);
  // Nothing is awaited between this check and `put`: of two writers one wins.
  store.upload(bucket, call.key, upload.id);
  checkWrite(call, bucket.objects.get(call.key));
  bucket.uploads.delete(upload.id);
  const binary = parts.map((part) => Buffer.from(part.etag, 'hex'));
  const md5 = createHash('md5').update(Buffer.concat(binary)).digest('hex');
  const object: StoredObject = {
    key: call.key,
    blobs: parts.map((part) => part.blob),
    size: parts.reduce((size, part) => size + part.blob.size, 0),
    etag: `${md5}-${parts.length}`,
    modified: now(),
    headers: upload.headers,
    checksum: sum,
  };
  const used = new Set(parts.map((part) => part.number));
  const unused = [...upload.parts.values()].filter((part) => !used.has(part.number));
  await store.put(bucket, object);
  await store.release(unused.map((part) => part.blob));
  const body = {
    Location: `/${call.bucket}/${call.key}`,
    Bucket: call.bucket,
    Key: call.key,
    ETag: `"${object.etag}"`,
    ...(sum ? { [xmlName(sum.name)]: sum.value, ChecksumType: sum.type } : {}),
  };
  return {
    status: 200,
    headers: encryptionOf(upload.headers),
    body: document('CompleteMultipartUploadResult', body),
  };
}

export async function abortUpload(store: Store, call: Call): Promise<Reply> {
  const bucket = store.bucket(call.bucket);
  await store.abort(bucket, store.upload(bucket, call.key, call.query.get('uploadId')));
  return { status: 204 };
}

/** The parts the client lists, if S3 would take them. */
function choose(upload: Upload, xml: string): Part[] {
  const listed = elementsOf(xml, 'Part').map((entry) => ({
    number: Number(textOf(entry, 'PartNumber')),
    etag: textOf(entry, 'ETag')?.replaceAll('"', ''),
    checksum: upload.checksum ? textOf(entry, xmlName(upload.checksum.name)) : undefined,
  }));
  if (listed.length === 0 || listed.length > MAX_PARTS) {
    throw new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate');
  }
  const parts = listed.map(({ number, etag, checksum: claimed }, index) => {
    if (index > 0 && number <= (listed[index - 1]?.number ?? 0)) {
      throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
    }
    const part = upload.parts.get(number);
    const wrongSum = upload.checksum?.type === 'COMPOSITE' && claimed !== part?.checksum;
    if (!part || part.etag !== etag || wrongSum) {
      throw new S3Error(
        'InvalidPart',
        'One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match.',
        { PartNumber: String(number) },
      );
    }
    return part;
  });
  const small = parts.slice(0, -1).find((part) => part.blob.size < MIN_PART);
  if (small) {
    throw new S3Error('EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size', {
      ProposedSize: String(small.blob.size),
      PartNumber: String(small.number),
    });
  }
  return parts;
}

async function checksumOf(
  store: Store,
  call: Call,
  upload: Upload,
  parts: readonly Part[],
): Promise<StoredObject['checksum']> {
  if (!upload.checksum) return null;
  const { name, type } = upload.checksum;
  if (type === 'COMPOSITE')
    return {
      name,
      type,
      value: compositeOf(
        name,
        parts.map((part) => part.checksum ?? ''),
      ),
    };
  const whole = checksum(name);
  for (const { blob } of parts) {
    const object = { blobs: [blob], size: blob.size } as unknown as StoredObject;
    for await (const piece of store.read(object, 0, blob.size)) whole.update(piece);
  }
  const value = whole.digest();
  const claimed = call.headers[`x-amz-checksum-${name}`];
  if (claimed !== undefined && claimed !== value) {
    throw new S3Error('BadDigest', 'The checksum you specified did not match the calculated checksum.');
  }
  return { name, type, value };
}

const isChecksum = (name: string): name is ChecksumName =>
  (checksumNames as readonly string[]).includes(name);
export const xmlName = (name: ChecksumName): string => `Checksum${name.toUpperCase()}`;
