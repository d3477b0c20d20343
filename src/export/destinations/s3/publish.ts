import {
  CompleteMultipartUploadCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListPartsCommand,
  type ListPartsCommandOutput,
} from '@aws-sdk/client-s3';
import { SluiceError } from '../../../errors/error.ts';
import type { Published, Staged } from '../destination.ts';
import { AnsweredWith, type CallOrder, type Calls, REFUSALS } from './calls.ts';
import { nameOf } from './connection.ts';
import { pagesOf } from './listing.ts';
import { bare, etagOf, MARK, receiptOf } from './receipt.ts';
import { takenAway } from './stage.ts';

/**
 * Completes a staged upload: the object appears under its key, whole. When the answer was lost, or a
 * crash came before the ledger knew, the upload is gone and the object carries its mark: that is success. Throws
 * `destination_changed` when the upload or a part is gone, `destination_config` when the store refuses parts that it has.
 */
export async function publish(calls: Calls, staged: Staged, signal: AbortSignal): Promise<Published> {
  const { uploadId, parts } = receiptOf(staged);
  const command = new CompleteMultipartUploadCommand({
    Bucket: calls.connection.bucket,
    Key: staged.key,
    UploadId: uploadId,
    MultipartUpload: {
      Parts: parts.map(([PartNumber, ETag, crc32]) => ({
        PartNumber,
        ETag: `"${ETag}"`,
        ...(crc32 === null ? {} : { ChecksumCRC32: crc32 }),
      })),
    },
  });
  const order = { what: `Publishing ${staged.key}`, signal, answers: ['NoSuchUpload', 'InvalidPart'] };
  try {
    const answer = await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
    return publishedAs(staged, answer.ETag);
  } catch (error) {
    signal.throwIfAborted();
    const there = await publishedFrom(calls, staged, signal).catch(() => null);
    if (there) return there;
    if (!(error instanceof AnsweredWith)) throw error;
    if (error.code === 'InvalidPart' && (await hasParts(calls, staged, signal).catch(() => false))) {
      throw new SluiceError('destination_config', {
        detail: `${order.what} in ${nameOf(calls.connection)} was refused with InvalidPart, and its parts are there: ${error.words}`,
      });
    }
  }
  throw takenAway(staged.key);
}

/**
 * Whether all parts of the receipt are still at the store, or were published already. A store that cannot
 * say so, or may not tell us, is taken to have lost them.
 */
export async function isStaged(calls: Calls, staged: Staged, signal?: AbortSignal): Promise<boolean> {
  try {
    return await hasParts(calls, staged, signal);
  } catch (error) {
    if (!(error instanceof AnsweredWith)) throw error;
    return (await publishedFrom(calls, staged, signal).catch(absentIfForbidden)) !== null;
  }
}

/** Who may not list a bucket (s3:ListBucket) is told "forbidden" of an object that is not there. */
export function absentIfForbidden(error: unknown): null {
  if (error instanceof SluiceError && error.code === 'destination_denied') return null;
  throw error;
}

/**
 * Throws `AnsweredWith` when the store knows no such upload, or refuses to list parts, which needs a right of its own
 * (s3:ListMultipartUploadParts) that keys that can export without it may lack.
 */
async function hasParts(calls: Calls, staged: Staged, signal?: AbortSignal): Promise<boolean> {
  const { uploadId, parts } = receiptOf(staged);
  const missing = new Map(parts.map(([number, etag]) => [number, etag]));
  const order: CallOrder = { what: `Looking at the upload of ${staged.key}`, signal, answers: REFUSALS };
  const ask = (marker: string | null) => {
    const command = new ListPartsCommand({
      Bucket: calls.connection.bucket,
      Key: staged.key,
      UploadId: uploadId,
      ...(marker === null ? {} : { PartNumberMarker: marker }),
    });
    return calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  };
  let bytes = 0;
  for await (const page of pagesOf(calls, order.what, ask, partsAfter)) {
    for (const { PartNumber = 0, ETag, Size = 0 } of page.Parts ?? []) {
      if (missing.get(PartNumber) === bare(ETag)) missing.delete(PartNumber);
      bytes += Size;
    }
  }
  return bytes === staged.bytes && missing.size === 0;
}

/** Null as well when the store does not say where its listing goes on. */
function partsAfter({ IsTruncated, NextPartNumberMarker }: ListPartsCommandOutput, from: string | null) {
  if (!IsTruncated || !NextPartNumberMarker || NextPartNumberMarker === from) return null;
  return NextPartNumberMarker;
}

/** What lies under a key; what may not be looked at counts as another's. */
export async function holds(
  calls: Calls,
  key: string,
  receipts: readonly Staged[],
): Promise<'this' | 'other' | 'nothing'> {
  try {
    const head = await headOf(calls, key);
    if (head === null) return 'nothing';
    return receipts.some((staged) => isObjectOf(staged, head)) ? 'this' : 'other';
  } catch (error) {
    absentIfForbidden(error);
    return 'other';
  }
}

/** The object under the key, when it came from this very upload. */
async function publishedFrom(calls: Calls, staged: Staged, signal?: AbortSignal): Promise<Published | null> {
  const head = await headOf(calls, staged.key, signal);
  if (head === null || !isObjectOf(staged, head)) return null;
  return publishedAs(staged, head.ETag);
}

/** The store has checked every part by its MD5 or CRC32; an ETag made of all their ETags says that it is these. */
function publishedAs(staged: Staged, etag: string | undefined): Published {
  const tag = bare(etag) || null;
  const published = { key: staged.key, bytes: staged.bytes, tag };
  return tag !== null && tag === etagOf(receiptOf(staged)) ? { ...published, confirmed: true } : published;
}

const isObjectOf = (staged: Staged, head: HeadObjectCommandOutput): boolean =>
  head.ContentLength === staged.bytes && head.Metadata?.[MARK] === receiptOf(staged).mark;

/** Null when there is no such object. */
async function headOf(
  calls: Calls,
  key: string,
  signal?: AbortSignal,
): Promise<HeadObjectCommandOutput | null> {
  const command = new HeadObjectCommand({ Bucket: calls.connection.bucket, Key: key });
  const order = { what: `Looking at ${key}`, signal, answers: ['NotFound', 'NoSuchKey'] };
  try {
    return await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  } catch (error) {
    if (error instanceof AnsweredWith) return null;
    throw error;
  }
}
