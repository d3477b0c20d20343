import { SluiceError } from '../errors/error.ts';

const DISK_FULL = '53100';
const READ_ONLY = '25006';

/**
 * SQLSTATE classes 08 (connection), 53 (out of resources), 57P (the server is stopping or starting), 58030 (I/O error),
 * 25006 (the server takes no changes: it was the primary before a failover), what a server does to a statement that
 * stood in the way of others (57014 cancelled, 55P03 a lock not to be had, 40001 and 40P01 in conflict with others) and
 * the errno names of sockets: what was asked may succeed later, unchanged.
 */
export function isOutage(error: unknown): boolean {
  return /^(08...|53...|57P..|57014|58030|25006|55P03|40001|40P01|ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH)$/.test(
    codeOf(error),
  );
}

/** Whether the connection leads to a server that takes no changes; a new one may lead to the one that does. */
export const isReadOnly = (error: unknown): boolean => codeOf(error) === READ_ONLY;

/** `database_unavailable`, with what a person can do about it where `cause` tells. */
export function unavailable(cause: unknown): SluiceError {
  const detail = DETAILS.get(codeOf(cause));
  return new SluiceError('database_unavailable', { cause, ...(detail && { detail }) });
}

const DETAILS: ReadonlyMap<string, string> = new Map([
  [DISK_FULL, 'The disk of the database is full; make room on it.'],
  [READ_ONLY, 'The database takes no changes; DATABASE_URL must lead to the server that does.'],
]);

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : '';
