import type { Connection } from '../../src/export/destinations/s3/connection.ts';
import type { S3Server } from '../kit/s3/server.ts';

/** A bucket of the tests' own server, as an S3-compatible store is reached. */
export function connectionTo({ region, url, credentials }: S3Server, bucket: string): Connection {
  return {
    bucket,
    region,
    endpoint: url,
    virtualStyle: false,
    credentials,
    encryption: null,
    integrity: 'md5',
  };
}
