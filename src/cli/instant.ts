import { InvalidArgumentError } from 'commander';
import { Temporal } from 'temporal-polyfill';

/**
 * The instant that a person wrote, milliseconds since the epoch: a date or an ISO time, with an offset, a zone in brackets, or
 * neither, which is UTC. Throws `InvalidArgumentError`, also for an offset that its zone does not have then.
 */
export function instant(text: string): number {
  try {
    return read(text);
  } catch {
    throw new InvalidArgumentError(
      'must be a date or an ISO time, like 2026-03-01, 2026-03-01T06:00:00Z or 2026-03-01T06:00[Europe/Berlin].',
    );
  }
}

function read(text: string): number {
  // What follows would take brackets, too, and forget them.
  if (text.includes('[')) return Temporal.ZonedDateTime.from(text).epochMilliseconds;
  try {
    return Temporal.Instant.from(text).epochMilliseconds;
  } catch {
    return Temporal.PlainDateTime.from(text).toZonedDateTime('UTC').epochMilliseconds;
  }
}
