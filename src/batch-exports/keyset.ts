import { type RawBuilder, sql } from 'kysely';

/** One key of an ordering; see `http/cursor.ts`. */
export interface Key {
  readonly field: string;
  readonly descending: boolean;
}

/** The SQL of a key's column; moments that may be null must come as an expression that never is. */
export type Columns = Readonly<Record<string, RawBuilder<unknown>>>;

/** A moment that is null means the beginning of time, and sorts there. */
export const fromTheBeginning = (column: string): RawBuilder<unknown> =>
  sql`coalesce(${sql.ref(column)}, '-infinity'::timestamptz)`;

/**
 * `where` for the rows strictly after a position: one value per key, milliseconds since the epoch (null = the beginning of time)
 * or an id. Keys that point in one direction are compared as a row, which an index in their order answers without a sort
 * (a page far down cost a sort of all rows beyond it); others are written out key by key.
 */
export function after(
  keys: readonly Key[],
  columns: Columns,
  position: readonly (number | string | null)[],
): RawBuilder<boolean> {
  const [first] = keys;
  if (first && keys.every((key) => key.descending === first.descending)) {
    const row = sql.join(keys.map((key) => column(columns, key)));
    return sql<boolean>`(${row}) ${beyond(first)} (${sql.join(position.map(value))})`;
  }
  const alternatives = keys.map((key, i) => {
    const equal = keys
      .slice(0, i)
      .map((earlier, j) => sql`${column(columns, earlier)} = ${value(position[j])}`);
    const further = sql`${column(columns, key)} ${beyond(key)} ${value(position[i])}`;
    return sql`(${sql.join([...equal, further], sql` and `)})`;
  });
  return sql<boolean>`(${sql.join(alternatives, sql` or `)})`;
}

const beyond = (key: Key): RawBuilder<unknown> => (key.descending ? sql`<` : sql`>`);

export function orderBy(keys: readonly Key[], columns: Columns): RawBuilder<unknown> {
  return sql.join(keys.map((key) => sql`${column(columns, key)} ${key.descending ? sql`desc` : sql`asc`}`));
}

function column(columns: Columns, key: Key): RawBuilder<unknown> {
  const found = columns[key.field];
  if (!found) throw new Error(`No column for the ordering "${key.field}".`);
  return found;
}

function value(part: number | string | null | undefined): RawBuilder<unknown> {
  if (typeof part === 'string') return sql`${part}::uuid`;
  if (typeof part === 'number') return sql`${new Date(part)}::timestamptz`;
  return sql`'-infinity'::timestamptz`;
}
