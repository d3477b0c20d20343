import type { App, AppEvent } from '../catalogue/app.ts';
import { eventJson } from '../catalogue/event-json.ts';

/** Characters of an event that an error keeps. */
const LONGEST = 10_000;

/** Shorter ones would blot out half of any text. */
const SHORTEST = 4;

/**
 * Takes the secrets of a config out of a text, wherever they stand: receivers like to repeat what they were sent. So mask first
 * and cut afterwards; where a text was cut before, its end may be the beginning of a secret, and is masked, too.
 */
export function masker(app: App, config: Readonly<Record<string, unknown>>): (text: string) => string {
  const secrets = app.fields.flatMap(({ key, secret }) => {
    const value = secret ? config[key] : undefined;
    return typeof value === 'string' ? partsOf(value) : [];
  });
  const spellings = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
  ]);
  // The longest first: of one that begins as another does, the end would be left.
  const all = [...new Set(spellings)]
    .filter(({ length }) => length >= SHORTEST)
    .toSorted((a, b) => b.length - a.length);
  return (text) =>
    maskEnd(
      all,
      all.reduce((rest, spelling) => rest.replaceAll(spelling, MASK), text),
    );
}

const MASK = '[secret]';

/** A secret and what is secret of it: `Bearer abc` without its scheme, `Basic …` decoded, whole and the password alone. */
function partsOf(secret: string): string[] {
  const [, scheme = '', token = ''] = /^(\S+)\s+(.*)$/s.exec(secret.trim()) ?? [];
  if (scheme.toLowerCase() !== 'basic') return [secret, token];
  const pair = Buffer.from(token, 'base64').toString('utf8');
  return [secret, token, pair, pair.slice(pair.indexOf(':') + 1)];
}

function maskEnd(spellings: readonly string[], text: string): string {
  let longest = 0;
  for (const spelling of spellings) {
    for (let length = Math.min(spelling.length - 1, text.length); length >= SHORTEST; length--) {
      if (length > longest && text.endsWith(spelling.slice(0, length))) longest = length;
    }
  }
  return longest === 0 ? text : `${text.slice(0, -longest)}${MASK}`;
}

/** The JSON text of `error_details`: what went wrong and the first event it happened to, cut to 10 kB. */
export function errorDetails(
  error: { readonly name: string; readonly message: string },
  events: readonly AppEvent[],
  mask: (text: string) => string,
): string {
  const [first] = events;
  return JSON.stringify({
    error: { name: error.name, message: mask(error.message) },
    event: first ? shown(first, mask) : {},
    eventCount: events.length,
  });
}

function shown(event: AppEvent, mask: (text: string) => string): unknown {
  const whole = mask(eventJson(event));
  if (whole.length <= LONGEST) return parsed(whole);
  const { properties, person_properties: _, elements_chain: __, ...rest } = event;
  const room = Math.max(0, LONGEST - JSON.stringify(rest).length - 200);
  // Half the room: escaped as a text inside JSON, it may grow.
  return parsed(mask(JSON.stringify({ ...rest, properties: `${properties.slice(0, room / 2)}…` })));
}

/** A mask cannot break JSON, but a secret that is a piece of its syntax could. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
