import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** The checksums S3 takes in `x-amz-checksum-*`, base64 of the big-endian value. */
export const checksumNames = ['crc32', 'crc32c', 'crc64nvme', 'sha1', 'sha256'] as const;
export type ChecksumName = (typeof checksumNames)[number];

export interface Running {
  update(chunk: Uint8Array): void;
  /** Base64. */
  digest(): string;
}

/** A running checksum. SHA and CRC32 are native; the other two manage some 300 and 100 MB/s. */
export function checksum(name: ChecksumName): Running {
  switch (name) {
    case 'crc32':
      return running<number>(0, (value, chunk) => crc32(chunk, value), word);
    case 'crc32c':
      return running(0xffffffff, crc32c, (value) => word(~value >>> 0));
    case 'crc64nvme':
      return running([0xffffffff, 0xffffffff] as Halves, crc64, ([high, low]) =>
        Buffer.concat([word(~high >>> 0), word(~low >>> 0)]),
      );
    default: {
      const hash = createHash(name);
      return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest('base64') };
    }
  }
}

/** What S3 gives a multipart object whose parts were checked: the checksum of the parts' checksums. */
export function compositeOf(name: ChecksumName, parts: readonly string[]): string {
  const whole = checksum(name);
  for (const part of parts) whole.update(Buffer.from(part, 'base64'));
  return `${whole.digest()}-${parts.length}`;
}

function running<T>(
  start: T,
  step: (value: T, chunk: Uint8Array) => T,
  finish: (value: T) => Buffer,
): Running {
  let value = start;
  return {
    update: (chunk) => {
      value = step(value, chunk);
    },
    digest: () => finish(value).toString('base64'),
  };
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

/** Castagnoli, reflected. */
const table32 = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value >>> 0;
});

function crc32c(start: number, chunk: Uint8Array): number {
  let value = start;
  for (let i = 0; i < chunk.length; i++) {
    value = (value >>> 8) ^ (table32[(value ^ (chunk[i] as number)) & 255] as number);
  }
  return value >>> 0;
}

type Halves = readonly [high: number, low: number];

/** CRC-64/NVME, reflected, in two halves because 64 bits of BigInt would be a hundred times slower. */
const table64 = (() => {
  const high = new Uint32Array(256);
  const low = new Uint32Array(256);
  for (let index = 0; index < 256; index++) {
    let value = BigInt(index);
    for (let bit = 0; bit < 8; bit++) value = value & 1n ? (value >> 1n) ^ 0x9a6c9329ac4bc9b5n : value >> 1n;
    high[index] = Number(value >> 32n);
    low[index] = Number(value & 0xffffffffn);
  }
  return { high, low };
})();

function crc64(start: Halves, chunk: Uint8Array): Halves {
  let [high, low] = start;
  for (let i = 0; i < chunk.length; i++) {
    const index = (low ^ (chunk[i] as number)) & 255;
    low = ((low >>> 8) | (high << 24)) ^ (table64.low[index] as number);
    high = (high >>> 8) ^ (table64.high[index] as number);
  }
  return [high >>> 0, low >>> 0];
}
