/** A piece of SQL with the values of its `{name:Type}` placeholders. Values are never spliced into the text. */
export interface Fragment {
  readonly sql: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export function and(fragments: readonly Fragment[]): Fragment {
  return {
    sql: fragments.map(({ sql }) => `(${sql})`).join(' AND ') || '1',
    params: Object.assign({}, ...fragments.map(({ params }) => params)),
  };
}
