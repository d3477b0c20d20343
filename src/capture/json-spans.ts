/**
 * Where the values of a JSON text begin and end, so that what a client sent can be stored as sent:
 * re-serialising parsed values would round 20-digit integers, drop duplicate keys and respell floats.
 *
 * Every function here expects text that `JSON.parse` has accepted and validates nothing itself.
 */
export interface Span {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** A key of an object with its value; `keyStart` is where its opening quote stands. */
export interface Member extends Span {
  readonly key: string;
  readonly keyStart: number;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const SPACE = 0x20;

/** The first position at or after `at` that is not white space. */
export function skipSpace(text: string, at: number): number {
  let position = at;
  while (text.charCodeAt(position) <= SPACE) position++;
  return position;
}

/** The members of the object that starts at `at`, in order, duplicates included. */
export function objectMembers(text: string, at: number): Member[] {
  const members: Member[] = [];
  readMembers(text, at, members);
  return members;
}

/** The member with this key; of several the last, as in the parsed value. */
export function memberOf(members: readonly Member[], key: string): Member | undefined {
  for (let index = members.length - 1; index >= 0; index--) {
    if (members[index]?.key === key) return members[index];
  }
  return undefined;
}

/** Adds the members of the object that starts at `at`; returns where it ends (exclusive). */
function readMembers(text: string, at: number, members: Member[]): number {
  let position = skipSpace(text, at + 1);
  while (text.charCodeAt(position) !== CLOSE_BRACE) {
    const keyStart = position;
    const keyEnd = stringEnd(text, keyStart);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = valueEnd(text, start);
    members.push({ key: decodeKey(text, keyStart, keyEnd), keyStart, start, end });
    position = skipSpace(text, end);
    if (text.charCodeAt(position) === COMMA) position = skipSpace(text, position + 1);
  }
  return position + 1;
}

/** The members of every item of the array that starts at `at`, one item after the other; none for an item that is no object. */
export function* itemMembers(text: string, at: number): Generator<Member[], undefined> {
  let position = skipSpace(text, at + 1);
  while (text.charCodeAt(position) !== CLOSE_BRACKET) {
    const members: Member[] = [];
    const isObject = text.charCodeAt(position) === OPEN_BRACE;
    const end = isObject ? readMembers(text, position, members) : valueEnd(text, position);
    yield members;
    position = skipSpace(text, end);
    if (text.charCodeAt(position) === COMMA) position = skipSpace(text, position + 1);
  }
}

/** The end (exclusive) of the value that starts at `start`. Nesting may be as deep as memory allows. */
export function valueEnd(text: string, start: number): number {
  const first = text.charCodeAt(start);
  if (first === QUOTE) return stringEnd(text, start);
  if (first !== OPEN_BRACE && first !== OPEN_BRACKET) return scalarEnd(text, start);
  let depth = 0;
  let position = start;
  for (;;) {
    const code = text.charCodeAt(position);
    if (code === QUOTE) {
      position = stringEnd(text, position);
      continue;
    }
    position++;
    if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
    else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) return position;
  }
}

function stringEnd(text: string, start: number): number {
  let position = start;
  for (;;) {
    position = text.indexOf('"', position + 1);
    let before = position - 1;
    while (text.charCodeAt(before) === BACKSLASH) before--;
    // An even number of backslashes before a quote escape each other, not the quote.
    if ((position - before) % 2 === 1) return position + 1;
  }
}

function scalarEnd(text: string, start: number): number {
  let position = start;
  while (position < text.length) {
    const code = text.charCodeAt(position);
    if (code <= SPACE || code === COMMA || code === CLOSE_BRACE || code === CLOSE_BRACKET) break;
    position++;
  }
  return position;
}

function decodeKey(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  return raw.includes('\\') ? JSON.parse(text.slice(start, end)) : raw;
}
