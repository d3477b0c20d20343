import { setTimeout as pause } from 'node:timers/promises';

/** An event as a client holds it until it is acknowledged. */
export interface SentEvent {
  readonly event: string;
  readonly distinct_id: string;
  readonly uuid: string;
  readonly timestamp: string;
  readonly properties: Readonly<Record<string, unknown>>;
}

export interface Range {
  readonly start: Date;
  readonly end: Date;
}

/**
 * `count` events spread evenly over `range`, of about `bytes` bytes each, which do not compress well: files then have
 * the size a test wants.
 */
export function makeEvents(count: number, range: Range, bytes: number, random: () => number): SentEvent[] {
  const step = (range.end.getTime() - range.start.getTime()) / count;
  return Array.from({ length: count }, (_, index) => ({
    event: index % 3 === 0 ? '$pageview' : 'order placed',
    distinct_id: `user-${Math.floor(random() * 97)}`,
    uuid: uuidFrom(random),
    timestamp: new Date(range.start.getTime() + Math.floor(index * step)).toISOString(),
    properties: { n: index, text: 'Grüße 👋', noise: noise(Math.max(0, bytes - 40), random) },
  }));
}

/** One request with all of `events`; resolves when they are acknowledged, rejects when that is not known. */
export async function send(
  server: { readonly url: string; readonly project_api_key: string },
  events: readonly SentEvent[],
): Promise<void> {
  const response = await fetch(new URL('/batch/', server.url), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ api_key: server.project_api_key, batch: events }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`capture answered ${response.status}: ${text}`);
}

/** As PostHog's clients do: the same events again until they are acknowledged. */
export async function sendUntilStored(
  server: { readonly url: string; readonly project_api_key: string },
  events: readonly SentEvent[],
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send(server, events);
    } catch (error) {
      if (attempt === 50) throw error;
      await pause(200);
    }
  }
}

/** `length` letters, digits, `-` and `_`. */
function noise(length: number, random: () => number): string {
  const bytes = Buffer.alloc(Math.ceil((length * 3) / 16) * 4);
  for (let at = 0; at < bytes.length; at += 4) bytes.writeUInt32LE(random() * 2 ** 32, at);
  return bytes.toString('base64url').slice(0, length);
}

function uuidFrom(random: () => number): string {
  const word = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const text = word() + word() + word() + word();
  return [
    text.slice(0, 8),
    text.slice(8, 12),
    `4${text.slice(13, 16)}`,
    `8${text.slice(17, 20)}`,
    text.slice(20),
  ].join('-');
}
