import type { ErrorCode } from '../../../errors/catalogue.ts';

/** What a failed request means: try it again, or give up with this code. */
export type Verdict = { readonly retry: true } | { readonly retry: false; readonly code: ErrorCode };

/** What is known of a failure: the store's code, else the system's, and the HTTP status. */
export interface Failure {
  readonly code: string;
  readonly status: number | null;
  /** The store's own words; empty for failures of the connection. */
  readonly message: string;
}

/** S3 error codes, Amazon's list and what compatible stores add. Codes not listed go by their status. */
const codes: Readonly<Partial<Record<ErrorCode, readonly string[]>>> = {
  destination_denied: [
    'AccessDenied',
    'AccessDeniedException',
    'AccountProblem',
    'AllAccessDisabled',
    'ExpiredToken',
    'Forbidden',
    'InvalidAccessKeyId',
    'InvalidClientTokenId',
    'InvalidSecurity',
    'InvalidToken',
    'NotSignedUp',
    'SignatureDoesNotMatch',
    'UnauthorizedAccess',
  ],
  destination_missing: ['NoSuchBucket', 'NoSuchKey', 'NoSuchUpload', 'NotFound'],
  destination_config: [
    'AuthorizationHeaderMalformed',
    'EntityTooLarge',
    'IllegalLocationConstraintException',
    'IncorrectEndpoint',
    'InvalidBucketName',
    'InvalidRegion',
    'KeyTooLongError',
    'MethodNotAllowed',
    'NotImplemented',
    'PermanentRedirect',
    'EHOSTFORBIDDEN',
    'CERT_HAS_EXPIRED',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ],
  destination_full: ['QuotaExceeded', 'XMinioStorageFull', 'XMinioAdminBucketQuotaExceeded'],
  verification_failed: ['PreconditionFailed'],
};

const fatal = new Map(
  Object.entries(codes).flatMap(([code, names]) => names.map((name) => [name, code as ErrorCode] as const)),
);

/** 4xx codes that are worth another try; the clock is corrected by the SDK after the first. */
const passing = new Set([
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'OperationAborted',
  'RequestTimeTooSkewed',
  'RequestTimeout',
  'SlowDown',
  'TemporaryRedirect',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  'XAmzContentSHA256Mismatch',
]);

/** Decides by code, then by status; without either (reset, timeout, cut answer) trying again is right. */
export function verdictOf(failure: Failure): Verdict {
  const code = fatal.get(failure.code);
  if (code) return { retry: false, code };
  if (passing.has(failure.code)) return { retry: true };
  const { status } = failure;
  // "Not implemented", in whatever words.
  if (status === 501) return { retry: false, code: 'destination_config' };
  if (status === null || status < 300 || status >= 500 || status === 408 || status === 429)
    return { retry: true };
  if (status === 401 || status === 403) return { retry: false, code: 'destination_denied' };
  if (status === 404) return { retry: false, code: 'destination_missing' };
  return { retry: false, code: 'destination_config' };
}

/** Reads what the SDK throws. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'Unknown', status: null, message: '' };
  const { $metadata, Code, code } = error as Error & {
    $metadata?: { httpStatusCode?: number };
    Code?: unknown;
    code?: unknown;
  };
  const status = $metadata?.httpStatusCode ?? null;
  const named = [Code, code].find((name): name is string => typeof name === 'string') ?? error.name;
  return { code: named, status, message: status === null ? '' : error.message.slice(0, 300) };
}
