import type { Call, Reply } from './call.ts';
import { S3Error } from './s3-error.ts';
import type { Store } from './store.ts';
import { document } from './xml.ts';

export function listBuckets(store: Store): Reply {
  const buckets = [...store.buckets.values()].map((bucket) => ({
    Name: bucket.name,
    CreationDate: new Date(bucket.created).toISOString(),
  }));
  const owner = { ID: 'owner', DisplayName: 'owner' };
  return {
    status: 200,
    body: document('ListAllMyBucketsResult', { Owner: owner, Buckets: { Bucket: buckets } }),
  };
}

export function createBucket(store: Store, call: Call, now: number): Reply {
  if (!/^(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(call.bucket)) {
    throw new S3Error('InvalidArgument', 'The specified bucket is not valid.');
  }
  if (store.buckets.has(call.bucket)) {
    throw new S3Error(
      'BucketAlreadyOwnedByYou',
      'Your previous request to create the named bucket succeeded.',
    );
  }
  store.buckets.set(call.bucket, { name: call.bucket, created: now, objects: new Map(), uploads: new Map() });
  return { status: 200, headers: { location: `/${call.bucket}` } };
}

export function headBucket(store: Store, call: Call, region: string): Reply {
  store.bucket(call.bucket);
  return { status: 200, headers: { 'x-amz-bucket-region': region } };
}

export function bucketLocation(store: Store, call: Call, region: string): Reply {
  store.bucket(call.bucket);
  return { status: 200, body: document('LocationConstraint', region === 'us-east-1' ? '' : region) };
}

export function deleteBucket(store: Store, call: Call): Reply {
  const bucket = store.bucket(call.bucket);
  if (bucket.objects.size > 0)
    throw new S3Error('BucketNotEmpty', 'The bucket you tried to delete is not empty');
  store.buckets.delete(call.bucket);
  return { status: 204 };
}
