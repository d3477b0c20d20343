import { ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { Staged } from '../destination.ts';
import { AnsweredWith, type Calls } from './calls.ts';
import { receiptOf } from './receipt.ts';
import { abortUpload } from './stage.ts';

/**
 * Takes back the uploads of a run that nobody will complete: every one of its keys that the ledger does not keep. One
 * listing per directory, not per key. S3 does not tell who began an upload, and a run that repeats another has the same
 * keys: should its upload be struck, it begins anew (`takenAway`).
 */
export async function sweep(
  calls: Calls,
  keys: readonly string[],
  keep: readonly Staged[],
  owns: (key: string) => boolean = () => false,
): Promise<void> {
  const kept = new Set(keep.map((staged) => receiptOf(staged).uploadId));
  const wanted = new Set(keys);
  for (const prefix of new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1)))) {
    for (const { key, uploadId } of await uploadsBelow(calls, prefix)) {
      if ((wanted.has(key) || owns(key)) && !kept.has(uploadId)) await abortUpload(calls, key, uploadId);
    }
  }
}

async function uploadsBelow(calls: Calls, prefix: string): Promise<{ key: string; uploadId: string }[]> {
  const uploads: { key: string; uploadId: string }[] = [];
  let next: { KeyMarker?: string; UploadIdMarker?: string } | null = {};
  while (next !== null) {
    const page = await pageOf(calls, prefix, next);
    if (page === null) return [];
    for (const { Key, UploadId } of page.Uploads ?? []) {
      if (Key && UploadId) uploads.push({ key: Key, uploadId: UploadId });
    }
    const { IsTruncated, NextKeyMarker, NextUploadIdMarker } = page;
    next = !IsTruncated
      ? null
      : {
          ...(NextKeyMarker ? { KeyMarker: NextKeyMarker } : {}),
          ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}),
        };
  }
  return uploads;
}

/** Null when the store cannot list uploads, or not to us: then a rule of the bucket has to remove them. */
async function pageOf(
  calls: Calls,
  prefix: string,
  from: { KeyMarker?: string; UploadIdMarker?: string },
): Promise<ListMultipartUploadsCommandOutput | null> {
  const command = new ListMultipartUploadsCommand({
    Bucket: calls.connection.bucket,
    Prefix: prefix,
    ...from,
  });
  const order = {
    what: `Listing uploads below ${prefix || '/'}`,
    answers: ['NotImplemented', 'AccessDenied'],
  };
  try {
    return await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  } catch (error) {
    if (error instanceof AnsweredWith) return null;
    throw error;
  }
}
