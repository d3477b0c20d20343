import { type CatalogueEntry, catalogue, type ErrorCode, type ErrorKind } from './catalogue.ts';

export interface ErrorParts {
  /** The field the error is about, nested paths joined by two underscores (contract.md §1.4). */
  readonly attr?: string | null;
  /** What happened and what to do, for a person. Never holds a secret. Default: the catalogue's meaning. */
  readonly detail?: string;
  /** Seconds after which trying again makes sense (`Retry-After`). */
  readonly retryAfter?: number;
  readonly cause?: unknown;
}

/** The only error class that crosses rooms. Everything else is wrapped on the way or is a bug. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly attr: string | null;
  readonly retryAfter: number | undefined;

  constructor(code: ErrorCode, parts: ErrorParts = {}) {
    const entry: CatalogueEntry = catalogue[code];
    super(parts.detail ?? entry.meaning, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.attr = parts.attr ?? null;
    this.retryAfter = parts.retryAfter;
  }

  get entry(): CatalogueEntry {
    return catalogue[this.code];
  }

  get kind(): ErrorKind {
    return this.entry.kind;
  }
}

/** What the engine should do with any thrown value; unknown errors are ours to fix. */
export function kindOf(error: unknown): ErrorKind {
  return error instanceof SluiceError ? error.kind : 'bug';
}
