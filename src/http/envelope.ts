import { Type } from 'typebox';
import type { CatalogueEntry, ErrorCode } from '../errors/catalogue.ts';
import { SluiceError } from '../errors/error.ts';

/** The body of every error answer, exactly these four keys (contract.md §1.4). */
export interface Envelope {
  readonly type: string;
  readonly code: string;
  readonly detail: string;
  readonly attr: string | null;
}

export const EnvelopeSchema = Type.Object({
  type: Type.String({ description: 'The family of the error.' }),
  code: Type.String({ description: 'What a program should look at.' }),
  detail: Type.String({ description: 'What a person should read. The wording may change.' }),
  attr: Type.Union([Type.String(), Type.Null()], {
    description: 'The field at fault, nested names joined by two underscores.',
  }),
});

export interface ErrorAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Envelope;
  /** Ours to fix: belongs in the log with its stack. */
  readonly bug: boolean;
}

/** What the web framework itself refuses, by its error code. */
const FRAMEWORK: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'request_too_large',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'parse_error',
  FST_ERR_CTP_INVALID_JSON_BODY: 'parse_error',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'parse_error',
  FST_ERR_ROUTE_MISSING_CONTENT_TYPE: 'unsupported_media_type',
  FST_ERR_ROUTE_MISSING_CONTENT: 'parse_error',
  FST_ERR_BAD_URL: 'not_found',
  FST_ERR_MAX_PARAM_LENGTH: 'not_found',
  FST_ERR_NOT_FOUND: 'not_found',
};

/**
 * Turns anything thrown into an answer. Errors that are ours to fix are answered with a plain sentence:
 * their own text may tell of things inside.
 */
export function toErrorAnswer(thrown: unknown): ErrorAnswer {
  const error = toSluiceError(thrown);
  const entry: CatalogueEntry = error.entry;
  const bug = entry.kind === 'bug';
  return {
    status: entry.status,
    headers: error.retryAfter === undefined ? {} : { 'retry-after': String(Math.ceil(error.retryAfter)) },
    body: {
      type: entry.type,
      code: entry.code ?? error.code,
      detail: bug ? entry.meaning : error.message,
      attr: error.attr,
    },
    bug,
  };
}

function toSluiceError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  const code = (thrown as { code?: unknown } | null)?.code;
  const known = typeof code === 'string' ? FRAMEWORK[code] : undefined;
  return new SluiceError(known ?? 'error', { cause: thrown });
}
