import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import type { DestinationPorts, FileTarget, Staged } from '../destination.ts';
import { type Calls, callsTo } from './calls.ts';
import { type Connection, placeOf } from './connection.ts';
import { defaultLimits, type Limits, limitsFor } from './limits.ts';
import { integrityOf } from './parts.ts';
import { holds, isStaged, publish } from './publish.ts';
import { getSmall, reread } from './read.ts';
import { receiptOf } from './receipt.ts';
import { abortUpload, encryptionOf, stage } from './stage.ts';
import { sweep } from './sweep.ts';
import { Uploads } from './uploads.ts';

/**
 * Files as objects of a bucket. Staged = a multipart upload with all its parts and not completed. Nothing
 * is sent before the first call. Throws `destination_config` for an endpoint that may not be reached.
 */
export async function openBucket(
  connection: Connection,
  ports: DestinationPorts,
  limits: Limits = ports.timeoutMs === undefined ? defaultLimits : limitsFor(ports.timeoutMs),
): Promise<FileTarget> {
  await checkEndpoint(connection, ports);
  const calls = callsTo(connection, ports, limits);
  const uploads = new Uploads();
  return {
    place: placeOf(connection),
    stagingPath: async () => null,
    stage: (slot, source, signal) => stage(calls, slot, source, signal, uploads),
    isStaged: (staged, stop) => isStaged(calls, staged, stop),
    publish: async (staged, signal) => {
      const published = await publish(calls, staged, signal);
      uploads.over(staged);
      return published;
    },
    open: (published) => reread(calls, published),
    put: (key, body, contentType, signal) => put(calls, key, body, contentType, signal),
    get: (key) => getSmall(calls, key),
    fileOf: async (key) => key,
    holds: (key, receipts) => holds(calls, key, receipts),
    remove: (key) => remove(calls, key),
    discard: async (staged) => {
      await abortUpload(calls, staged.key, receiptOf(staged).uploadId);
      uploads.over(staged);
    },
    discardOwn: (keep) => discardOwn(calls, uploads, keep),
    sweep: (_runId, _attempt, keys, keep, owns = () => false, signal = new AbortController().signal) =>
      sweep(calls, keys, { keep, owns, byKey: uploads.mayBeLeft() }, signal),
    close: async () => calls.client.destroy(),
  };
}

/** With virtual-style addressing the bucket is part of the host that is really called. */
async function checkEndpoint(connection: Connection, ports: DestinationPorts): Promise<void> {
  if (connection.endpoint === null) return;
  const { hostname } = new URL(connection.endpoint);
  await ports.checkHost(hostname);
  if (connection.virtualStyle) await ports.checkHost(`${connection.bucket}.${hostname}`);
}

async function put(
  calls: Calls,
  key: string,
  body: Buffer,
  contentType: string,
  signal?: AbortSignal,
): Promise<void> {
  const { kind, value } = integrityOf(body, calls.connection.integrity);
  const command = new PutObjectCommand({
    Bucket: calls.connection.bucket,
    Key: key,
    Body: body,
    ContentType: contentType,
    ...encryptionOf(calls),
    ...(kind === 'crc32' ? { ChecksumCRC32: value } : { ContentMD5: value }),
  });
  await calls.run({ what: `Writing ${key}`, bytes: body.length, signal }, (abortSignal) =>
    calls.client.send(command, { abortSignal }),
  );
}

/** One that is completed, or was taken back already, is fine. */
async function discardOwn(calls: Calls, uploads: Uploads, keep: readonly Staged[]): Promise<void> {
  const kept = new Set(keep.map((staged) => receiptOf(staged).uploadId));
  for (const [id, key] of uploads.all()) if (!kept.has(id)) await abortUpload(calls, key, id);
}

async function remove(calls: Calls, key: string): Promise<void> {
  const command = new DeleteObjectCommand({ Bucket: calls.connection.bucket, Key: key });
  await calls.run({ what: `Removing ${key}` }, (abortSignal) => calls.client.send(command, { abortSignal }));
}
