const MIB = 1024 * 1024;

/** S3's limits: parts of one upload, and bytes of one part. */
export const MAX_PARTS = 10_000;
export const MAX_PART_BYTES = 5 * 1024 * MIB;

/** Five buffers of this size are 80 MiB a file; a part so small costs no more than larger ones. */
const LEAST_BYTES = 16 * MIB;
/** A file may turn out so many times as large as was expected before its parts grow. */
const HEADROOM = 2;
/** So many parts are all of one size. */
export const EVEN_PARTS = 9_000;
const PARTS_A_DOUBLING = 200;

/**
 * The size of the parts of one upload, in bytes, for a file of about `expectedBytes`. One size for all, because some stores
 * (Cloudflare R2) take no others: 16 MiB for files of up to 70 GiB, then a 4,500th of the file. Two parts of a file are held
 * in memory at least: 470 MiB for one of a TiB.
 */
export function partSize(expectedBytes: number): number {
  const wanted = Math.ceil((expectedBytes * HEADROOM) / EVEN_PARTS / MIB) * MIB;
  return Math.min(MAX_PART_BYTES, Math.max(LEAST_BYTES, wanted));
}

/**
 * The size of part `number` (from 1) of an upload whose parts have `size` bytes. Should a file be more than twice as large as
 * was expected, its last thousand parts double every 200: at most stores it is taken all the same, up to four times as large.
 */
export function partBytes(number: number, size: number): number {
  const doublings = Math.max(0, Math.ceil((number - EVEN_PARTS) / PARTS_A_DOUBLING));
  return Math.min(MAX_PART_BYTES, size * 2 ** doublings);
}
