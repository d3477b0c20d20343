import { SluiceError } from '../errors/error.ts';

const DISK_FULL = '53100';

/**
 * SQLSTATE classes 08 (connection), 53 (out of resources), 57P (the server is stopping or starting), 58030 (I/O error) and the
 * errno names of sockets: what was asked may succeed later, unchanged.
 */
export function isOutage(error: unknown): boolean {
  return /^(08...|53...|57P..|58030|ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/.test(
    codeOf(error),
  );
}

/** `database_unavailable`, with what a person can do about it where `cause` tells. */
export function unavailable(cause: unknown): SluiceError {
  const full = codeOf(cause) === DISK_FULL;
  return new SluiceError('database_unavailable', {
    cause,
    ...(full ? { detail: 'The disk of the database is full; make room on it.' } : {}),
  });
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';
