import { ListMultipartUploadsCommand, type ListMultipartUploadsCommandOutput } from '@aws-sdk/client-s3';
import { concurrently } from '../../concurrently.ts';
import type { Staged } from '../destination.ts';
import { AnsweredWith, type CallOrder, type Calls, REFUSALS } from './calls.ts';
import { pagesOf } from './listing.ts';
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
  const isLeft = ({ key, uploadId }: OpenUpload) => (wanted.has(key) || owns(key)) && !kept.has(uploadId);
  const directory = (key: string) => key.slice(0, key.lastIndexOf('/') + 1);
  for (const [prefix, below] of Map.groupBy(wanted, directory)) {
    if (await takeBack(calls, prefix, isLeft, signal)) continue;
    // MinIO takes a prefix for a whole key.
    if (!byKey || calls.connection.endpoint === null) continue;
    await concurrently(AT_ONCE, below, signal, async (key, either) => {
      await takeBack(calls, key, isLeft, either);
      return [];
    });
  }
}

/** Listings at once, where every key needs one. */
const AT_ONCE = 8;

interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
}

/**
 * Takes back what is left below a prefix while the listing goes on, for it may be longer than the memory: a page at a time, when
 * the next one has come, which is asked for by the last upload of it. False when the store told of no upload at all; true as
 * well when it tells nothing.
 */
async function takeBack(
  calls: Calls,
  prefix: string,
  isLeft: (upload: OpenUpload) => boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const abort = async (uploads: readonly OpenUpload[]) => {
    for (const { key, uploadId } of uploads) await abortUpload(calls, key, uploadId, signal);
  };
  const what = `Listing uploads below ${prefix || '/'}`;
  const ask = (from: Marker | null) => pageOf(calls, what, prefix, from ?? {}, signal);
  let told = false;
  let left: readonly OpenUpload[] = [];
  for await (const page of pagesOf(calls, what, ask, after)) {
    await abort(left);
    if (page === null) return true;
    const uploads = uploadsOf(page);
    told ||= uploads.length > 0;
    left = uploads.filter(isLeft);
  }
  await abort(left);
  return told;
}

function uploadsOf({ Uploads = [] }: ListMultipartUploadsCommandOutput): OpenUpload[] {
  return Uploads.flatMap(({ Key: key, UploadId: uploadId }) => (key && uploadId ? [{ key, uploadId }] : []));
}

interface Marker {
  readonly KeyMarker?: string;
  readonly UploadIdMarker?: string;
}

/** Null at the end, and when the store does not say where its listing goes on, which would begin it again, for ever. */
function after(page: ListMultipartUploadsCommandOutput | null, from: Marker | null): Marker | null {
  if (!page?.IsTruncated) return null;
  const { NextKeyMarker, NextUploadIdMarker } = page;
  if (!NextKeyMarker && !NextUploadIdMarker) return null;
  if (NextKeyMarker === from?.KeyMarker && NextUploadIdMarker === from?.UploadIdMarker) return null;
  return {
    ...(NextKeyMarker ? { KeyMarker: NextKeyMarker } : {}),
    ...(NextUploadIdMarker ? { UploadIdMarker: NextUploadIdMarker } : {}),
  };
}

/** Null when the store cannot list uploads, or not to us: then a rule of the bucket has to remove them. */
async function pageOf(
  calls: Calls,
  what: string,
  prefix: string,
  from: Marker,
  signal: AbortSignal,
): Promise<ListMultipartUploadsCommandOutput | null> {
  const command = new ListMultipartUploadsCommand({
    Bucket: calls.connection.bucket,
    Prefix: prefix,
    ...from,
  });
  const order: CallOrder = { what, signal, answers: REFUSALS };
  try {
    return await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  } catch (error) {
    if (error instanceof AnsweredWith) return null;
    throw error;
  }
}
