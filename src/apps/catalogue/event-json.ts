import type { AppEvent } from './app.ts';

/** An event as apps send it: JSON on one line, the stored JSON texts spliced in as they are. */
export function eventJson(event: AppEvent): string {
  const { properties, person_properties, ...texts } = event;
  const plain = JSON.stringify(texts);
  return `${plain.slice(0, -1)},"properties":${properties},"person_properties":${person_properties}}`;
}
