import type { Call } from './call.ts';
import type { StoredObject } from './store.ts';

const KEPT = ['content-type', 'cache-control', 'content-disposition', 'content-language', 'expires'];
const ENCRYPTION = ['x-amz-server-side-encryption', 'x-amz-server-side-encryption-aws-kms-key-id'];

/** The headers of a write that reads give back. `aws-chunked` is of the transfer, not of the object. */
export function keptHeaders(call: Call): Record<string, string> {
  const kept: Record<string, string> = { 'content-type': 'binary/octet-stream' };
  for (const [name, value] of Object.entries(call.headers)) {
    if (KEPT.includes(name) || ENCRYPTION.includes(name) || name.startsWith('x-amz-meta-')) {
      kept[name] = String(value);
    }
  }
  const encodings = (call.headers['content-encoding'] ?? '').split(',').map((text) => text.trim());
  const encoding = encodings.filter((text) => text && text !== 'aws-chunked').join(',');
  return encoding ? { ...kept, 'content-encoding': encoding } : kept;
}

/** The encryption headers that answers to writes repeat. */
export function encryptionOf(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => ENCRYPTION.includes(name)));
}

/** With SSE-KMS an ETag is no MD5 (Amazon's documentation of the ETag). */
export function etagOf(md5: string, headers: Readonly<Record<string, string>>): string {
  if (headers['x-amz-server-side-encryption'] !== 'aws:kms') return md5;
  return [...md5].reverse().join('');
}

/** Headers of HEAD and GET. */
export function describe(object: StoredObject, withChecksum: boolean): Record<string, string> {
  const sum = object.checksum;
  return {
    ...object.headers,
    etag: `"${object.etag}"`,
    'last-modified': new Date(object.modified).toUTCString(),
    'accept-ranges': 'bytes',
    ...(sum && withChecksum
      ? { [`x-amz-checksum-${sum.name}`]: sum.value, 'x-amz-checksum-type': sum.type }
      : {}),
  };
}
