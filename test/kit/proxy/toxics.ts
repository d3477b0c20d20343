/** What can be wrong with a connection (Toxiproxy's list). Times in milliseconds. */
export type Toxic =
  /** Every chunk is late, both ways; by up to `jitterMs` more. */
  | { readonly kind: 'latency'; readonly ms: number; readonly jitterMs?: number }
  /** Nothing moves for so long, once per connection; then all goes on. */
  | { readonly kind: 'stall'; readonly ms: number }
  /** Pieces of so many bytes with a pause between them, both ways. */
  | { readonly kind: 'slicer'; readonly bytes: number; readonly gapMs: number }
  | { readonly kind: 'bandwidth'; readonly bytesPerSecond: number }
  /** The end of an answer is told late. */
  | { readonly kind: 'slowClose'; readonly ms: number }
  /** Every n-th chunk from a client, counted over all connections, resets its connection. */
  | { readonly kind: 'flapping'; readonly every: number }
  /** Reset after so many bytes from the client. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  /** The answer ends, as if complete, after so many bytes. */
  | { readonly kind: 'limitData'; readonly bytes: number }
  /** Takes everything and says nothing. Its connections stay dead when it is lifted. */
  | { readonly kind: 'halfOpen' }
  /** Nobody is there: all connections break, new ones too. */
  | { readonly kind: 'down' }
  /** What was asked is done, and the connection is reset instead of the answer. */
  | { readonly kind: 'loseReply' };

export type Way = 'up' | 'down';

/** A toxic in its place. */
export interface Strike {
  readonly toxic: Toxic;
  /** Begins with a chunk from the client that matches; at once without. */
  readonly when: RegExp | undefined;
  /** Matches that are let pass first. */
  readonly skip: number;
  /** `loseReply`: how many replies are lost. */
  readonly times: number;
  readonly random: () => number;
  active: boolean;
  seen: number;
  struck: number;
  /** Chunks from clients since it began. */
  chunks: number;
}

/** Whether the toxic strikes with what `text` holds from `from` on; what lies before was looked at already. */
export function matches(strike: Strike, text: string, from: number): boolean {
  if (strike.when === undefined) return false;
  const everywhere = new RegExp(strike.when, `g${strike.when.flags.replace('g', '')}`);
  const found = [...text.matchAll(everywhere)].some(({ 0: { length }, index }) => index + length > from);
  if (!found) return false;
  strike.seen += 1;
  return strike.seen > strike.skip;
}
