import { bucketLocation, createBucket, deleteBucket, headBucket, listBuckets } from './buckets.ts';
import type { Call, Reply } from './call.ts';
import { listObjects, listParts, listUploads } from './listing.ts';
import type { Manners } from './manners.ts';
import { abortUpload, completeUpload, createUpload, uploadPart } from './multipart.ts';
import { copyObject, deleteObject, deleteObjects, getObject, putObject } from './objects.ts';
import type { Signed } from './signature.ts';
import type { Store } from './store.ts';

interface OperateWorld {
  readonly store: Store;
  readonly region: string;
  readonly manners: Manners;
}

/** Does what a verified call asks for. Throws S3Error. */
export async function operate(
  { store, region, manners }: OperateWorld,
  call: Call,
  signed: Signed,
  body: AsyncIterable<Buffer>,
  now: () => number,
): Promise<Reply> {
  switch (call.operation) {
    case 'ListBuckets':
      return listBuckets(store);
    case 'CreateBucket':
      return createBucket(store, call, now());
    case 'HeadBucket':
      return headBucket(store, call, region);
    case 'GetBucketLocation':
      return bucketLocation(store, call, region);
    case 'DeleteBucket':
      return deleteBucket(store, call);
    case 'ListObjectsV2':
      return listObjects(store, call);
    case 'ListMultipartUploads':
      return listUploads(store, call, manners);
    case 'DeleteObjects':
      return await deleteObjects(store, call, signed, body);
    case 'PutObject':
      return await putObject(store, call, signed, body, now);
    case 'CopyObject':
      return await copyObject(store, call, now);
    case 'GetObject':
    case 'HeadObject':
      return getObject(store, call);
    case 'DeleteObject':
      return await deleteObject(store, call);
    case 'CreateMultipartUpload':
      return createUpload(store, call, now);
    case 'UploadPart':
      return await uploadPart(store, call, signed, body, now);
    case 'ListParts':
      return listParts(store, call, manners);
    case 'CompleteMultipartUpload':
      return await completeUpload(store, call, signed, body, now);
    case 'AbortMultipartUpload':
      return await abortUpload(store, call);
  }
}
