const MIB = 1024 * 1024;

/** S3's limits: parts of one upload, and bytes of one part. */
export const MAX_PARTS = 10_000;
export const MAX_PART_BYTES = 5 * 1024 * MIB;

/**
 * The size of part `number` (from 1), whatever the length of the file, which nobody knows beforehand:
 * 16 MiB, doubled every 1,000 parts. Files of up to 16 GB so need 80 MiB of buffers; 10,000 parts hold
 * more than the 5 TiB S3 allows.
 */
export function partBytes(number: number): number {
  return Math.min(MAX_PART_BYTES, 16 * MIB * 2 ** Math.floor((number - 1) / 1000));
}
