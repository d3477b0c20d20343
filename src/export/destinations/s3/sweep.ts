import { ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import type { Staged } from '../destination.ts';
import { AnsweredWith, type CallOrder, type Calls, REFUSALS } from './calls.ts';
import { receiptOf } from './receipt.ts';
import { abortUpload } from './stage.ts';

/**
 * Takes back the uploads of a run that nobody will complete: every one of its keys that the ledger does not keep. One
 * listing per directory, not per key. S3 does not tell who began an upload, and a run that repeats another has the same
 * keys: should its upload be struck, it begins anew (`takenAway`). Throws the signal's reason.
 */
export async function sweep(
  calls: Calls,
  keys: readonly string[],
  keep: readonly Staged[],
  owns: (key: string) => boolean = () => false,
  signal?: AbortSignal,
): Promise<void> {
  const kept = new Set(keep.map((staged) => receiptOf(staged).uploadId));
  const wanted = new Set(keys);
  for (const prefix of new Set(keys.map((key) => key.slice(0, key.lastIndexOf('/') + 1)))) {
    for (const { key, uploadId } of await uploadsBelow(calls, prefix, signal)) {
      if ((wanted.has(key) || owns(key)) && !kept.has(uploadId)) await abortUpload(calls, key, uploadId);
    }
  }
}

interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
}

async function uploadsBelow(calls: Calls, prefix: string, signal?: AbortSignal): Promise<OpenUpload[]> {
  const uploads: OpenUpload[] = [];
  let from: Marker | null = {};
  while (from !== null) {
    const page = await pageOf(calls, prefix, from, signal);
    if (page === null) return [];
    for (const { Key, UploadId } of page.Uploads ?? []) {
      if (Key && UploadId) uploads.push({ key: Key, uploadId: UploadId });
    }
    from = page.IsTruncated ? after(page, from) : null;
  }
  return uploads;
}

interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

/** Null when the store does not say where its listing goes on, which would begin it again, for ever. */
function after({ NextKeyMarker, NextUploadIdMarker }: ListMultipartUploadsCommandOutput, from: Marker) {
  if (!NextKeyMarker && !NextUploadIdMarker) return null;
  if (NextKeyMarker === from.KeyMarker && NextUploadIdMarker === from.UploadIdMarker) return null;
  return {
    ...(NextKeyMarker ? { KeyMarker: NextKeyMarker } : {}),
    ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}),
  };
}

/** Null when the store cannot list uploads, or not to us: then a rule of the bucket has to remove them. */
async function pageOf(
  calls: Calls,
  prefix: string,
  from: Marker,
  signal?: AbortSignal,
): Promise<ListMultipartUploadsCommandOutput | null> {
  const command = new ListMultipartUploadsCommand({
    Bucket: calls.connection.bucket,
    Prefix: prefix,
    ...from,
  });
  const order: CallOrder = { what: `Listing uploads below ${prefix || '/'}`, signal, answers: REFUSALS };
  try {
    return await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  } catch (error) {
    if (error instanceof AnsweredWith) return null;
    throw error;
  }
}
