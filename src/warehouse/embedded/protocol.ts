import type { ErrorCode } from '../../errors/catalogue.ts';

/** What the launcher sends to the child, once. Not argv: other users may read that. */
export interface StartMessage {
  readonly dataDir: string;
  readonly host: string;
  /** 0 = any. */
  readonly port: number;
  readonly password: string | null;
  /** Bytes. */
  readonly memory: number;
}

/** What the child answers, once. */
export type StartedMessage =
  | { readonly state: 'ready'; readonly port: number }
  | { readonly state: 'failed'; readonly code: ErrorCode; readonly detail: string };

/** Asked by the launcher from then on, and answered as soon as the engine has answered anything at all. */
export const ALIVE = 'alive';

/** Queries at once; each occupies a thread of libuv's pool while it runs. */
export const QUERIES_AT_ONCE = 64;
/** Threads for files and compression besides the queries. */
export const SPARE_THREADS = 8;
