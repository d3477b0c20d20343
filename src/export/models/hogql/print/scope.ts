import { type Node, refuseQuery } from '../ast.ts';

/** Words for what the printer does not know. Printing is by allow-list: everything else ends here. */
export const unsupported = (what: string) =>
  refuseQuery(`Counting does not support ${what.slice(0, 120)} in this version.`);

/** What a statement is given besides its text. */
export class Parameters {
  readonly values: Record<string, unknown> = {};
  #count = 0;

  /** Binds a value; returns its placeholder. */
  add(type: 'String' | 'Array(String)', value: unknown): string {
    const name = `v${this.#count++}`;
    this.values[name] = value;
    return `{${name}:${type}}`;
  }
}

/** Where the rows of one SELECT come from. */
export interface Source {
  readonly kind: 'events' | 'subquery' | 'none';
  /** What its fields may be prefixed with. */
  readonly name: string | null;
  /** Columns of a subquery in their order. */
  readonly columns: readonly Column[];
}

/** A column as the query calls it, and as the SQL does, quoted. */
export interface Column {
  readonly name: string;
  readonly sql: string;
}

/** One SELECT while it is printed. */
export interface Scope {
  readonly source: Source;
  readonly aliases: ReadonlySet<string>;
  /** Columns of `events` that turned out to be needed. */
  readonly used: Set<string>;
  readonly context: Context;
}

/** The whole statement. */
export interface Context {
  readonly parameters: Parameters;
  /** The project's time zone as SQL: what has no zone of its own is meant in it. */
  readonly zone: string;
  /** Prints a SELECT of its own; its names do not see those around it. */
  readonly subquery: (query: Node) => string;
  /** A name that nothing else has, and that no query can spell; quoted. */
  readonly ownName: () => string;
}

/** A name as a name and nothing else. Refuses what no ordinary name holds, quotes, braces and backslashes above all. */
export function quoteName(name: string): string {
  if (/^[\w$][\w$ .-]{0,127}$/.test(name)) return `\`${name}\``;
  throw unsupported(`the name ${JSON.stringify(name)}`);
}
