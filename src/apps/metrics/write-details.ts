import type { App, AppEvent } from '../catalogue/app.ts';
import { eventJson } from '../catalogue/event-json.ts';

/** Characters of an event that an error keeps. */
const LONGEST = 10_000;

/** Takes the secrets of a config out of a text, wherever they stand: receivers like to repeat what they were sent. */
export function masker(app: App, config: Readonly<Record<string, unknown>>): (text: string) => string {
  const secrets = app.fields.flatMap(({ key, secret }) => {
    const value = secret ? config[key] : undefined;
    // Shorter ones would blot out half of any text.
    return typeof value === 'string' && value.length >= 4 ? [value] : [];
  });
  const spellings = secrets.flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64'),
  ]);
  return (text) => spellings.reduce((rest, spelling) => rest.replaceAll(spelling, '[secret]'), text);
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
