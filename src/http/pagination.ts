import { type TSchema, Type } from 'typebox';

const DEFAULT_LIMIT = 100;
/** Larger numbers would overflow the database's integers and mean the same. */
const LARGEST = 2 ** 31 - 1;

/** Query properties of every limit/offset list, for its schema: `Type.Object({ ...limitOffsetQuery })`. */
export const limitOffsetQuery = {
  limit: Type.Optional(
    Type.Integer({ description: 'Results per page.', default: DEFAULT_LIMIT, 'x-lenient': true }),
  ),
  offset: Type.Optional(Type.Integer({ description: 'Results to skip.', default: 0, 'x-lenient': true })),
};

export interface Window {
  readonly limit: number;
  readonly offset: number;
}

export interface Page<Item> {
  readonly count: number;
  readonly next: string | null;
  readonly previous: string | null;
  readonly results: readonly Item[];
}

export const pageSchema = (item: TSchema) =>
  Type.Object(
    {
      count: Type.Integer(),
      next: Type.Union([Type.String({ format: 'uri' }), Type.Null()]),
      previous: Type.Union([Type.String({ format: 'uri' }), Type.Null()]),
      results: Type.Array(item),
    },
    listTitle(item),
  );

/** What a page of `item` is called in the API description: `PaginatedBatchExportList`. */
export function listTitle(item: TSchema): { title?: string } {
  const { title } = item as { title?: string };
  return title === undefined ? {} : { title: `Paginated${title}List` };
}

/** `limit` and `offset` of a URL; what is not a sensible number counts as absent (contract.md §1.5). */
export function readWindow(url: URL): Window {
  const limit = wholeNumber(url.searchParams.get('limit'));
  return {
    limit: limit === null || limit === 0 ? DEFAULT_LIMIT : limit,
    offset: wholeNumber(url.searchParams.get('offset')) ?? 0,
  };
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\s*\+?\d+\s*$/.test(text) ? Math.min(Number(text), LARGEST) : null;
}

/**
 * One limit/offset page (contract.md §1.5). `fetch` gets the window and returns its rows and the count of
 * all; `next` and `previous` are this request's absolute URL with other numbers.
 */
export async function limitOffsetPage<Item>(
  url: URL,
  fetch: (window: Window) => Promise<{ count: number; items: readonly Item[] }>,
): Promise<Page<Item>> {
  const window = readWindow(url);
  const { count, items } = await fetch(window);
  const { limit, offset } = window;
  return {
    count,
    next: offset + limit < count ? link(url, limit, offset + limit) : null,
    previous: offset > 0 ? link(url, limit, Math.max(0, offset - limit)) : null,
    results: items,
  };
}

/** A page of a list that is in memory whole. */
export const listPage = <Item>(url: URL, items: readonly Item[]): Promise<Page<Item>> =>
  limitOffsetPage(url, async ({ limit, offset }) => ({
    count: items.length,
    items: items.slice(offset, offset + limit),
  }));

function link(url: URL, limit: number, offset: number): string {
  const linked = new URL(url);
  linked.searchParams.set('limit', String(limit));
  if (offset === 0) linked.searchParams.delete('offset');
  else linked.searchParams.set('offset', String(offset));
  return linked.href;
}
