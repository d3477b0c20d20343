/** What the thread around PGlite and the rest of the process say to each other. */

export interface ThreadOptions {
  /** PGlite's own folder. */
  readonly folder: string;
}

/**
 * Each request has one answer with its `id`. The asker numbers its transactions, so that their first query need not wait for
 * the answer to `begin`.
 */
export type Request = { readonly id: number } & (
  | {
      readonly op: 'query';
      readonly sql: string;
      readonly parameters: readonly unknown[];
      readonly transaction?: number | undefined;
    }
  | { readonly op: 'exec'; readonly sql: string }
  | { readonly op: 'begin'; readonly transaction: number }
  | { readonly op: 'end'; readonly transaction: number; readonly how: 'commit' | 'rollback' }
  | { readonly op: 'listen' | 'unlisten'; readonly channel: string }
  /** Answered when PGlite is open; the thread opens it by itself. */
  | { readonly op: 'open' }
  | { readonly op: 'close' }
);

export type Message =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: SqlFailure }
  | { readonly channel: string; readonly payload: string };

/** Rows as arrays, JSON as its text: parsing text is cheaper for the receiver than receiving a tree. */
export interface RawResult {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly affectedRows?: number | undefined;
}

/** An error of Postgres: `code` is the SQLSTATE. Never the parameters, which may be secret. */
export interface SqlFailure {
  readonly message: string;
  /** `PANIC` also for a trap of the WebAssembly: it cannot go on after either. */
  readonly severity?: string | undefined;
  readonly stack?: string | undefined;
  readonly code?: string | undefined;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  readonly table?: string | undefined;
  readonly column?: string | undefined;
  readonly constraint?: string | undefined;
}

/** Postgres' types whose values the thread passes on as text. */
export const JSON_TYPES: readonly number[] = [114, 3802];
