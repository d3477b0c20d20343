import { uuidV5 } from './uuid.ts';

/** PostHog's namespace of person ids; the same on every instance, so ids agree between the two. */
const NAMESPACE = Buffer.from('932979b465c3442484670b66ec27bc22', 'hex');

/**
 * The id of the person a distinct id belongs to, as 16 bytes: UUIDv5 of `team:distinct_id`, as PostHog
 * makes it for the first distinct id of a person. There are no merges yet: this function is the seam
 * where a lookup of merged persons will go.
 */
export function personId(teamId: number, distinctId: string): Buffer {
  return uuidV5(NAMESPACE, `${teamId}:${distinctId}`);
}
