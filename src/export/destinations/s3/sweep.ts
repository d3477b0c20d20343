import { ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { concurrently } from '../../concurrently.ts';
import type { Staged } from '../destination.ts';
import { AnsweredWith, type CallOrder, type Calls, REFUSALS } from './calls.ts';
import { receiptOf } from './receipt.ts';
import { abortUpload } from './stage.ts';

interface Sweeping {
  readonly keep: readonly Staged[];
  /** Keys beside the listed ones that are the run's. */
  readonly owns: (key: string) => boolean;
  /** Whether to ask for each key where a listing of the directory tells nothing: 10,000 requests for as many files. */
  readonly byKey: boolean;
}

/**
 * Takes back the uploads of a run that nobody will complete: every one of its keys that the ledger does not keep. One
 * listing per directory, not per key. S3 does not tell who began an upload, and a run that repeats another has the same
 * keys: should its upload be struck, it begins anew (`takenAway`). Throws the signal's reason.
 */
export async function sweep(
  calls: Calls,
  keys: readonly string[],
  { keep, owns, byKey }: Sweeping,
  signal: AbortSignal,
): Promise<void> {
  const kept = new Set(keep.map((staged) => receiptOf(staged).uploadId));
  const wanted = new Set(keys);
  const directory = (key: string) => key.slice(0, key.lastIndexOf('/') + 1);
  for (const [prefix, below] of Map.groupBy(wanted, directory)) {
    for (const { key, uploadId } of await uploadsOf(calls, prefix, byKey ? below : [], signal)) {
      if ((wanted.has(key) || owns(key)) && !kept.has(uploadId)) await abortUpload(calls, key, uploadId);
    }
  }
}

/** Listings at once, where every key needs one. */
const AT_ONCE = 8;

/** MinIO takes a prefix for a whole key: a directory without uploads is asked for by each of `keys`, but at Amazon. */
async function uploadsOf(
  calls: Calls,
  prefix: string,
  keys: readonly string[],
  signal: AbortSignal,
): Promise<readonly OpenUpload[]> {
  const listed = await uploadsBelow(calls, prefix, signal);
  if (listed === null) return [];
  if (listed.length > 0 || calls.connection.endpoint === null) return listed;
  const found: OpenUpload[] = [];
  await concurrently(AT_ONCE, keys, signal, async (key, either) => {
    found.push(...((await uploadsBelow(calls, key, either)) ?? []));
    return [];
  });
  return found;
}

interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
}

/** Null when the store does not tell. */
async function uploadsBelow(
  calls: Calls,
  prefix: string,
  signal: AbortSignal,
): Promise<readonly OpenUpload[] | null> {
  const uploads: OpenUpload[] = [];
  let from: Marker | null = {};
  while (from !== null) {
    const page = await pageOf(calls, prefix, from, signal);
    if (page === null) return null;
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
  signal: AbortSignal,
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
