import type { Call } from './call.ts';
import { S3Error } from './s3-error.ts';
import type { StoredObject } from './store.ts';

/** Conditional writes: `If-None-Match: *` and `If-Match: "etag"` (PutObject, CompleteMultipartUpload). */
export function checkWrite(call: Call, current: StoredObject | undefined): void {
  const none = call.headers['if-none-match'];
  const match = call.headers['if-match'];
  if (none !== undefined && none !== '*') {
    throw new S3Error('NotImplemented', 'If-None-Match of a write takes * only.');
  }
  if (none === '*' && current) throw failed('If-None-Match');
  if (match === undefined) return;
  if (!current) throw new S3Error('NoSuchKey', 'The specified key does not exist.', { Key: call.key });
  if (!names(match, current.etag)) throw failed('If-Match');
}

/** Conditional reads. Returns true when the answer is 304. */
export function unchanged(call: Call, object: StoredObject): boolean {
  const match = call.headers['if-match'];
  if (match !== undefined && !names(match, object.etag)) throw failed('If-Match');
  const none = call.headers['if-none-match'];
  return none !== undefined && names(none, object.etag);
}

function names(header: string, etag: string): boolean {
  return header.split(',').some((tag) => tag.trim() === '*' || tag.trim().replaceAll('"', '') === etag);
}

function failed(condition: string): S3Error {
  return new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
    Condition: condition,
  });
}
