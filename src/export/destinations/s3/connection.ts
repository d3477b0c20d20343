import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import type { SocketLookup } from '../../../work/hosts.ts';
import { collectAnswer } from './answer-body.ts';
import type { Limits } from './limits.ts';

/** Where a bucket is and how to get in: what both S3 types boil down to. */
export interface Connection {
  readonly bucket: string;
  readonly region: string;
  /** Null = Amazon's own for the region. */
  readonly endpoint: string | null;
  readonly virtualStyle: boolean;
  readonly credentials: NonNullable<S3ClientConfig['credentials']>;
  readonly encryption: { readonly algorithm: 'AES256' | 'aws:kms'; readonly keyId: string | null } | null;
  /**
   * How parts prove their integrity. Amazon keeps a CRC32 with the object; other stores know Content-MD5
   * for certain, and answer the MD5 as the part's ETag.
   */
  readonly integrity: 'crc32' | 'md5';
}

/**
 * One client per run and destination; repeating is ours (`calls.ts`), so the SDK's own is off. Hosts that users name are
 * resolved by `lookup`. Amazon's own are not: in a private network they have private addresses.
 */
export function clientOf(connection: Connection, limits: Limits, lookup?: SocketLookup): S3Client {
  const client = new S3Client({
    region: connection.region,
    credentials: connection.credentials,
    ...(connection.endpoint === null
      ? {}
      : { endpoint: connection.endpoint, forcePathStyle: !connection.virtualStyle }),
    maxAttempts: 1,
    // Checksums are chosen per part; stores other than Amazon's refuse the ones the SDK adds on its own.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Many stores never answer 100-continue, and each part would wait for it.
    expectContinueHeader: false,
    streamCollector: collectAnswer,
    requestHandler: {
      connectionTimeout: limits.connectMs,
      socketTimeout: limits.idleMs,
      ...(connection.endpoint === null || lookup === undefined ? {} : agentsWith(lookup)),
    },
  });
  // Leaves the SHA-256 of the body out of the signature. Every part has its MD5 or CRC32 in a signed header already, and
  // hashing 16 MiB a second time is 11 ms of the server's only thread.
  client.middlewareStack.add(
    (next) => (given) => {
      const { headers } = given.request as { headers: Record<string, string> };
      if ('content-md5' in headers || 'x-amz-checksum-crc32' in headers) {
        headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      }
      return next(given);
    },
    { step: 'build', priority: 'low', name: 'withoutPayloadHash' },
  );
  return client;
}

/** As the SDK makes them, and with our `lookup`. The client destroys them. */
function agentsWith(lookup: SocketLookup): { httpAgent: HttpAgent; httpsAgent: HttpsAgent } {
  const settings = { keepAlive: true, maxSockets: 50, lookup: lookup as never };
  return { httpAgent: new HttpAgent(settings), httpsAgent: new HttpsAgent(settings) };
}

/** For messages: which bucket, where. Holds no secret. */
export function nameOf(connection: Connection): string {
  const host = connection.endpoint === null ? connection.region : new URL(connection.endpoint).host;
  return `bucket ${connection.bucket} (${host})`;
}

/** The bucket, whoever asks for it: another key for the same bucket leads to the same files. */
export function placeOf({ bucket, endpoint }: Pick<Connection, 'bucket' | 'endpoint'>): string {
  if (endpoint === null) return `s3:${bucket}`;
  const { origin, pathname } = new URL(endpoint);
  return `${origin}${pathname.replace(/\/$/, '')}/${bucket}`;
}
