import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { SluiceError } from '../../../errors/error.ts';
import { bytesOfStream, followFile } from '../../growing-file.ts';
import type { EngineFile, Slot, Staged } from '../destination.ts';
import { BufferPool } from './buffer-pool.ts';
import { AnsweredWith, type Calls, WrongAnswer } from './calls.ts';
import { partSize } from './part-plan.ts';
import { type PartBody, partsOf } from './parts.ts';
import { bare, MARK, type Receipt, stagedFrom } from './receipt.ts';
import type { Uploads } from './uploads.ts';

/**
 * Uploads all parts of a file and does not complete it: a reader of the bucket sees nothing. Parts are
 * sent side by side in one size; the first failure stops the others and the source, and the upload is
 * taken back. `uploads` is told of it before its first part.
 */
export async function stage(
  calls: Calls,
  slot: Slot,
  given: Readable | EngineFile,
  signal: AbortSignal,
  uploads: Uploads,
): Promise<Staged> {
  const stream = 'pipe' in given ? given : null;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const fail = (error: unknown) => {
    stop.abort(error);
    stream?.destroy();
  };
  // The source may fail while nobody reads it yet, and an 'error' without a listener ends the process;
  // reading it reports the error all the same.
  stream?.on('error', () => {});
  await using file = 'pipe' in given ? null : followFile(given, either);
  const source = file?.read ?? bytesOfStream(given as Readable);
  const cancel = () => fail(signal.reason);
  signal.addEventListener('abort', cancel, { once: true });
  const mark = `${slot.runId}.${slot.attempt}.${Math.floor(calls.ports.random() * 2 ** 48).toString(16)}`;
  const sent: Promise<void>[] = [];
  const parts: Receipt['parts'][number][] = [];
  let uploadId: string | undefined;
  let bytes = 0;
  try {
    signal.throwIfAborted();
    const id = await createUpload(calls, slot, mark, either, uploads);
    uploadId = id;
    uploads.began(id, slot);
    const pool = new BufferPool(calls.limits.bufferBytes);
    const size = partSize(slot.expectedBytes ?? 0);
    for await (const part of partsOf(source, calls.connection.integrity, size, pool, either)) {
      bytes += part.body.length;
      sent.push(
        sendPart(calls, slot, id, part, either).then((done) => {
          parts.push(done);
          pool.give(part.buffer);
        }, fail),
      );
    }
    await Promise.all(sent);
    stop.signal.throwIfAborted();
  } catch (error) {
    fail(error);
    await Promise.all(sent);
    if (uploadId !== undefined) await abortUpload(calls, slot.key, uploadId).catch(() => {});
    throw stop.signal.reason;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  parts.sort(([a], [b]) => a - b);
  return stagedFrom(slot.key, bytes, { uploadId, mark, parts });
}

async function createUpload(
  calls: Calls,
  slot: Slot,
  mark: string,
  signal: AbortSignal,
  uploads: Uploads,
): Promise<string> {
  const { bucket, integrity } = calls.connection;
  const command = new CreateMultipartUploadCommand({
    Bucket: bucket,
    Key: slot.key,
    ContentType: slot.contentType,
    Metadata: { [MARK]: mark },
    ...encryptionOf(calls),
    ...(integrity === 'crc32' ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
  });
  return await calls.run({ what: `Starting the upload of ${slot.key}`, signal }, async (abortSignal) => {
    uploads.asked();
    const { UploadId } = await calls.client.send(command, { abortSignal });
    if (!UploadId) throw new WrongAnswer('no upload id in the answer');
    return UploadId;
  });
}

async function sendPart(
  calls: Calls,
  slot: Slot,
  uploadId: string,
  part: PartBody,
  signal: AbortSignal,
): Promise<Receipt['parts'][number]> {
  const { kind, value } = part.integrity;
  const what = `Uploading part ${part.number} of ${slot.key}`;
  const order = { what, bytes: part.body.length, signal, answers: ['NoSuchUpload'] };
  const request = async (abortSignal: AbortSignal): Promise<Receipt['parts'][number]> => {
    const command = new UploadPartCommand({
      Bucket: calls.connection.bucket,
      Key: slot.key,
      UploadId: uploadId,
      PartNumber: part.number,
      Body: part.body,
      ...(kind === 'crc32' ? { ChecksumCRC32: value } : { ContentMD5: value }),
    });
    const answer = await calls.client.send(command, { abortSignal });
    const etag = bare(answer.ETag);
    const encrypted = answer.ServerSideEncryption ?? answer.SSECustomerAlgorithm;
    if (kind === 'md5' && encrypted === undefined && !isMd5(etag, value)) {
      throw new WrongAnswer('an ETag that is not the MD5 of what was sent');
    }
    return [part.number, etag, kind === 'crc32' ? value : null];
  };
  try {
    const part = await calls.run(order, request);
    calls.ports.onAnswer?.();
    return part;
  } catch (error) {
    if (error instanceof AnsweredWith) throw takenAway(slot.key);
    throw error;
  }
}

/** By another run of the same keys that tidied up, by a rule of the bucket, or by a person: nothing that a person must mend. */
export function takenAway(key: string): SluiceError {
  return new SluiceError('destination_changed', {
    detail: `The upload of ${key} was removed from the bucket before it was published; it will be written again.`,
  });
}

/** Takes an upload back; one that is gone is fine. */
export async function abortUpload(
  calls: Calls,
  key: string,
  uploadId: string,
  signal?: AbortSignal,
): Promise<void> {
  const order = { what: `Taking back the upload of ${key}`, signal, answers: ['NoSuchUpload'] };
  const command = new AbortMultipartUploadCommand({
    Bucket: calls.connection.bucket,
    Key: key,
    UploadId: uploadId,
  });
  try {
    await calls.run(order, (abortSignal) => calls.client.send(command, { abortSignal }));
  } catch (error) {
    if (!(error instanceof AnsweredWith)) throw error;
  }
}

export function encryptionOf(calls: Calls): {
  ServerSideEncryption?: 'AES256' | 'aws:kms';
  SSEKMSKeyId?: string;
} {
  const { encryption } = calls.connection;
  if (!encryption) return {};
  const { algorithm, keyId } = encryption;
  return { ServerSideEncryption: algorithm, ...(keyId === null ? {} : { SSEKMSKeyId: keyId }) };
}

/** True as well for ETags of another form, which some stores give. */
function isMd5(etag: string, base64: string): boolean {
  return !/^[0-9a-f]{32}$/.test(etag) || etag === Buffer.from(base64, 'base64').toString('hex');
}
