import { objectMembers, type Span } from './json-spans.ts';

export interface PropertyParts {
  /** The text of the request and where `properties` stands in it; absent = `{}`. */
  readonly text: string;
  readonly span: Span | undefined;
  /** Properties to leave out, top level only. */
  readonly without: ReadonlySet<string>;
  /** Keys to add, with the JSON text of their values. */
  readonly add: ReadonlyMap<string, string>;
}

/**
 * The JSON text of an event's properties: the client's own bytes, but for the members left out and
 * added. Numbers, escapes, duplicate keys and order stay as sent.
 */
export function spliceProperties({ text, span, without, add }: PropertyParts): string {
  const kept = span ? members(text, span, without) : '';
  const added = [...add].map(([key, json]) => `${JSON.stringify(key)}:${json}`).join(',');
  return `{${kept}${kept && added ? ',' : ''}${added}}`;
}

function members(text: string, span: Span, without: ReadonlySet<string>): string {
  if (without.size === 0) return text.slice(span.start + 1, span.end - 1).trim();
  return objectMembers(text, span.start)
    .filter(({ key }) => !without.has(key))
    .map(({ keyStart, end }) => text.slice(keyStart, end))
    .join(',');
}

/** Two JSON objects as one; where both have a key, the second's value stays. */
export function mergeObjects(text: string, first: Span, second: Span): string {
  const over = objectMembers(text, second.start);
  const overridden = new Set(over.map(({ key }) => key));
  const base = objectMembers(text, first.start).filter(({ key }) => !overridden.has(key));
  return `{${[...base, ...over].map(({ keyStart, end }) => text.slice(keyStart, end)).join(',')}}`;
}
