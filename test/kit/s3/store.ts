import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ChecksumName } from './checksums.ts';
import { S3Error } from './s3-error.ts';

/** Bytes on disk, shared by objects and readers; gone when nobody holds them. */
export interface Blob {
  readonly path: string;
  readonly size: number;
  holders: number;
}

export interface StoredObject {
  readonly key: string;
  /** In order; several for a multipart object, which so appears at once and is never copied. */
  readonly blobs: readonly Blob[];
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch. */
  readonly modified: number;
  /** Content type, x-amz-meta-*, encryption: given back as they came. */
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: { readonly name: ChecksumName; readonly value: string; readonly type: string } | null;
}

export interface Part {
  readonly number: number;
  readonly blob: Blob;
  readonly etag: string;
  readonly modified: number;
  readonly checksum: string | null;
}

export interface Upload {
  readonly id: string;
  readonly key: string;
  readonly initiated: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly checksum: { readonly name: ChecksumName; readonly type: string } | null;
  readonly parts: Map<number, Part>;
}

export interface Bucket {
  readonly name: string;
  readonly created: number;
  readonly objects: Map<string, StoredObject>;
  readonly uploads: Map<string, Upload>;
}

/** Buckets in memory, bytes in a temporary directory. */
export class Store {
  readonly buckets = new Map<string, Bucket>();
  readonly #directory: string;
  #blobs = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  static async open(): Promise<Store> {
    return new Store(await mkdtemp(join(tmpdir(), 'sluice-s3-')));
  }

  /** Throws NoSuchBucket. */
  bucket(name: string): Bucket {
    const bucket = this.buckets.get(name);
    if (!bucket)
      throw new S3Error('NoSuchBucket', 'The specified bucket does not exist', { BucketName: name });
    return bucket;
  }

  /** Throws NoSuchUpload. */
  upload(bucket: Bucket, key: string, id: string | null): Upload {
    const upload = bucket.uploads.get(id ?? '');
    if (upload?.key === key) return upload;
    throw new S3Error(
      'NoSuchUpload',
      'The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.',
      { UploadId: id ?? '' },
    );
  }

  /** Keeps what `fill` writes; nothing when it throws. */
  async keep<T>(
    fill: (write: (piece: Buffer) => Promise<void>) => Promise<T>,
  ): Promise<{ blob: Blob; result: T }> {
    const path = join(this.#directory, String(++this.#blobs));
    const handle = await open(path, 'wx');
    let size = 0;
    try {
      const result = await fill(async (piece) => {
        for (let at = 0; at < piece.length; ) at += (await handle.write(piece, at)).bytesWritten;
        size += piece.length;
      });
      return { blob: { path, size, holders: 1 }, result };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }

  hold(blobs: readonly Blob[]): void {
    for (const blob of blobs) blob.holders += 1;
  }

  async release(blobs: readonly Blob[]): Promise<void> {
    for (const blob of blobs) {
      blob.holders -= 1;
      if (blob.holders === 0) await rm(blob.path, { force: true });
    }
  }

  /** The object under its key from now on; what it replaces is let go. */
  async put(bucket: Bucket, object: StoredObject): Promise<void> {
    const old = bucket.objects.get(object.key);
    bucket.objects.set(object.key, object);
    if (old) await this.release(old.blobs);
  }

  async delete(bucket: Bucket, key: string): Promise<void> {
    const old = bucket.objects.get(key);
    if (bucket.objects.delete(key) && old) await this.release(old.blobs);
  }

  async abort(bucket: Bucket, upload: Upload): Promise<void> {
    bucket.uploads.delete(upload.id);
    await this.release([...upload.parts.values()].map((part) => part.blob));
  }

  /** Bytes `start` (inclusive) to `end` (exclusive) as they are now, whatever happens to the key meanwhile. */
  read(object: StoredObject, start: number, end: number): Readable {
    this.hold(object.blobs);
    return Readable.from(this.#pieces(object.blobs, start, end), {
      objectMode: false,
      highWaterMark: 1 << 20,
    });
  }

  async *#pieces(blobs: readonly Blob[], start: number, end: number): AsyncGenerator<Buffer> {
    try {
      let offset = 0;
      for (const blob of blobs) {
        const from = Math.max(start - offset, 0);
        const until = Math.min(end - offset, blob.size);
        offset += blob.size;
        if (from >= until) continue;
        yield* createReadStream(blob.path, { start: from, end: until - 1, highWaterMark: 1 << 18 });
      }
    } finally {
      await this.release(blobs);
    }
  }

  async close(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 3 });
  }
}
