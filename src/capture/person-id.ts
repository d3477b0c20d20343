import { createHash } from 'node:crypto';

/** PostHog's namespace of person ids; the same on every instance, so ids agree between the two. */
const NAMESPACE = Buffer.from('932979b465c3442484670b66ec27bc22', 'hex');

/**
 * The id of the person a distinct id belongs to, as 16 bytes: UUIDv5 of `team:distinct_id`, as PostHog
 * makes it for the first distinct id of a person. There are no merges yet: this function is the seam
 * where a lookup of merged persons will go.
 */
export function personId(teamId: number, distinctId: string): Buffer {
  const bytes = createHash('sha1')
    .update(NAMESPACE)
    .update(`${teamId}:${distinctId}`)
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}
