import { type TSchema, Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { listTitle } from './pagination.ts';

/** One key of an ordering; the last is always `id`, in the direction of the first (contract.md §1.5). */
export interface OrderKey<Field extends string = string> {
  readonly field: Field;
  readonly descending: boolean;
}

/**
 * A place in an ordered list, one value per key of the row there: moments in milliseconds (or null when
 * the row has none), and the id.
 */
export type Position = readonly (number | string | null)[];

/** What to fetch: the first `limit` rows, by `keys` in this order, strictly after `after`. */
export interface CursorFetch<Field extends string = string> {
  /** Already turned round when the page before is wanted. */
  readonly keys: readonly OrderKey<Field>[];
  readonly after: Position | null;
  readonly limit: number;
}

export interface CursorPage<Item> {
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly Item[];
}

/** Query properties of every cursor list, for its schema. */
export const cursorQuery = {
  cursor: Type.Optional(Type.String({ description: 'Where to go on; from `next` or `previous`.' })),
  ordering: Type.Optional(Type.String({ description: 'Field to order by; `-` before it for descending.' })),
};

export const cursorPageSchema = (item: TSchema) =>
  Type.Object(
    {
      next: Type.Union([Type.String({ format: 'uri' }), Type.Null()]),
      previous: Type.Union([Type.String({ format: 'uri' }), Type.Null()]),
      results: Type.Array(item),
    },
    listTitle(item),
  );

/**
 * `-created_at,status` → keys, `id` last in the direction of the first. Unknown fields are dropped;
 * nothing left means the newest first by the first allowed field.
 */
export function readOrdering<Field extends string>(
  text: string | null | undefined,
  allowed: readonly [Field, ...Field[]],
): readonly OrderKey<Field | 'id'>[] {
  const keys: OrderKey<Field | 'id'>[] = [];
  for (const part of (text ?? '').split(',').map((name) => name.trim())) {
    const field = allowed.find((name) => name === part.replace(/^-/, ''));
    if (field !== undefined && !keys.some((key) => key.field === field)) {
      keys.push({ field, descending: part.startsWith('-') });
    }
  }
  if (keys.length === 0) keys.push({ field: allowed[0], descending: true });
  return [...keys, { field: 'id', descending: keys[0]?.descending ?? true }];
}

/**
 * One cursor page: no count, a fixed size, every row exactly once however many share a timestamp.
 * `fetch` returns rows as asked; `position` tells where a row stands, one value per key. Throws
 * `not_found` for a cursor that is not ours.
 */
export async function cursorPage<Item, Field extends string>(options: {
  readonly url: URL;
  readonly pageSize: number;
  readonly keys: readonly OrderKey<Field>[];
  readonly fetch: (wanted: CursorFetch<Field>) => Promise<readonly Item[]>;
  readonly position: (item: Item) => Position;
}): Promise<CursorPage<Item>> {
  const { url, pageSize, keys, position } = options;
  const cursor = readCursor(url.searchParams.get('cursor'), keys);
  const back = cursor?.back ?? false;
  const fetched = await options.fetch({
    keys: back ? keys.map(({ field, descending }) => ({ field, descending: !descending })) : keys,
    after: cursor?.position ?? null,
    // One more than shown tells whether there is a page beyond.
    limit: pageSize + 1,
  });
  const shown = fetched.slice(0, pageSize);
  if (back) shown.reverse();
  const beyond = fetched.length > pageSize;
  const first = shown[0];
  const last = shown.at(-1);
  const hasNext = back ? cursor !== null : beyond;
  const hasPrevious = back ? beyond : cursor !== null;
  return {
    next: hasNext && last !== undefined ? link(url, { back: false, position: position(last) }) : null,
    previous:
      hasPrevious && first !== undefined ? link(url, { back: true, position: position(first) }) : null,
    results: shown,
  };
}

interface Cursor {
  readonly back: boolean;
  readonly position: Position;
}

function link(url: URL, cursor: Cursor): string {
  const linked = new URL(url);
  const text = JSON.stringify([cursor.back ? 1 : 0, ...cursor.position]);
  linked.searchParams.set('cursor', Buffer.from(text).toString('base64url'));
  return linked.href;
}

/** Anyone can write a cursor: each value must be one the database can compare with. */
function readCursor(text: string | null, keys: readonly OrderKey[]): Cursor | null {
  if (text === null || text === '') return null;
  const bad = () => new SluiceError('not_found', { detail: 'Invalid cursor.' });
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch {
    throw bad();
  }
  if (!Array.isArray(parts) || parts.length !== keys.length + 1) throw bad();
  const [back, ...position] = parts;
  if (!keys.every((key, i) => (key.field === 'id' ? isId(position[i]) : isMoment(position[i])))) throw bad();
  return { back: back === 1, position };
}

/** The lists that are read this way have UUIDs; a database cannot compare one with anything else. */
const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/;
const isId = (value: unknown) => typeof value === 'string' && UUID.test(value);

/** Years 1 to 9999, which every database and `Date` know. */
const isMoment = (value: unknown) =>
  value === null ||
  (Number.isInteger(value) && (value as number) >= -62135596800000 && (value as number) < 253402300800000);
