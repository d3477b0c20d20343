import { createHash } from 'node:crypto';
import type { Staged } from '../destination.ts';

/** What the ledger keeps of a staged upload: all that completing it needs. */
export interface Receipt {
  readonly uploadId: string;
  /** Stored with the object as metadata, so that a lost answer to publishing can be told from a foreign object. */
  readonly mark: string;
  /** Number, ETag without quotes, CRC32 in base64 (Amazon only). */
  readonly parts: readonly (readonly [number: number, etag: string, crc32: string | null])[];
}

/** `x-amz-meta-sluice-upload` */
export const MARK = 'sluice-upload';

export function stagedFrom(key: string, bytes: number, receipt: Receipt): Staged {
  return { key, bytes, token: { ...receipt } };
}

/** A receipt comes back from the database. Throws when it is none of ours. */
export function receiptOf(staged: Staged): Receipt {
  const { uploadId, mark, parts } = staged.token;
  if (typeof uploadId !== 'string' || typeof mark !== 'string' || !Array.isArray(parts)) {
    throw new Error('Not a receipt of an S3 destination.');
  }
  return { uploadId, mark, parts };
}

/** The ETag of the object that these parts make, as S3 forms it; null when the ETags of the parts are no MD5. */
export function etagOf({ parts }: Receipt): string | null {
  if (!parts.every(([, etag]) => /^[0-9a-f]{32}$/.test(etag))) return null;
  const hash = createHash('md5');
  for (const [, etag] of parts) hash.update(etag, 'hex');
  return `${hash.digest('hex')}-${parts.length}`;
}

export const bare = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');
