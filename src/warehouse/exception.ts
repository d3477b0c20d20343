import type { ErrorCode } from '../errors/catalogue.ts';
import { SluiceError } from '../errors/error.ts';

/** ClickHouse's exception codes by what to do about them; everything else is `warehouse_query`. */
const CODES: Readonly<Partial<Record<ErrorCode, readonly number[]>>> = {
  // ATTEMPT_TO_READ_AFTER_EOF, CANNOT_READ_FROM_SOCKET, CANNOT_WRITE_TO_SOCKET, DNS_ERROR, SOCKET_TIMEOUT, NETWORK_ERROR,
  // NO_ZOOKEEPER, ABORTED, TABLE_IS_READ_ONLY, NOT_ENOUGH_SPACE, NO_ACTIVE_REPLICAS, NO_AVAILABLE_REPLICA,
  // ALL_CONNECTION_TRIES_FAILED, TOO_FEW_LIVE_REPLICAS, UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE, UNKNOWN_STATUS_OF_INSERT,
  // ALL_REPLICAS_ARE_STALE, CANNOT_SCHEDULE_TASK, S3_ERROR, TABLE_IS_BEING_RESTARTED, KEEPER_EXCEPTION, POCO_EXCEPTION
  warehouse_unavailable: [
    32, 95, 96, 198, 209, 210, 225, 236, 242, 243, 254, 265, 279, 285, 286, 319, 369, 439, 499, 733, 999,
    1000,
  ],
  // TIMEOUT_EXCEEDED, TOO_SLOW, QUOTA_EXCEEDED, TOO_MANY_SIMULTANEOUS_QUERIES, NO_FREE_CONNECTION,
  // QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING, TOO_MANY_PARTS, DEADLOCK_AVOIDED, SERVER_OVERLOADED
  warehouse_overloaded: [159, 160, 201, 202, 203, 216, 252, 473, 745],
  // CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED
  warehouse_memory: [173, 241],
  // READONLY, UNKNOWN_USER, WRONG_PASSWORD, REQUIRED_PASSWORD, DATABASE_ACCESS_DENIED, ACCESS_DENIED,
  // SETTING_CONSTRAINT_VIOLATION, AUTHENTICATION_FAILED
  warehouse_denied: [164, 192, 193, 194, 291, 452, 497, 516],
  // CANNOT_COMPILE_REGEXP: patterns come from filters only
  filter_invalid: [427],
  // QUERY_WAS_CANCELLED, QUERY_WAS_CANCELLED_BY_CLIENT
  warehouse_cancelled: [394, 735],
};

const BY_NUMBER: ReadonlyMap<number, ErrorCode> = new Map(
  Object.entries(CODES).flatMap(([code, numbers]) =>
    numbers.map((number): [number, ErrorCode] => [number, code as ErrorCode]),
  ),
);

/** The catalogue's code for a ClickHouse exception code. */
export function classify(exceptionCode: number): ErrorCode {
  return BY_NUMBER.get(exceptionCode) ?? 'warehouse_query';
}

const LONGEST_DETAIL = 1_000;

/** A SluiceError for ClickHouse's exception; `text` is shown to people, the code decides. */
export function exceptionError(exceptionCode: number, text: string, cause?: unknown): SluiceError {
  const detail = text.trim().replace(/^Code: \d+\. DB::Exception: /, '');
  return new SluiceError(classify(exceptionCode), {
    detail: `ClickHouse, code ${exceptionCode}: ${detail.slice(0, LONGEST_DETAIL)}`,
    cause,
  });
}

/** READONLY, SETTING_CONSTRAINT_VIOLATION */
const FORBIDDING_SETTINGS = ['164', '452'];

/** Whether the server refused a setting of the request, which the user's profile does not let it change. */
export function forbidsSetting(error: unknown): boolean {
  const { cause } = error as { readonly cause?: { readonly code?: unknown } };
  return FORBIDDING_SETTINGS.includes(String(cause?.code));
}

/** A SluiceError for a request that got no answer, or half of one. */
export function connectionError(what: string, cause: unknown): SluiceError {
  const code = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new SluiceError('warehouse_unavailable', {
    detail: `The warehouse could not be reached: ${what}${code ? ` (${code})` : ''}.`,
    cause,
  });
}

/** How many of an answer's last bytes `findException` needs. */
export const TAIL_BYTES = 32 * 1024;

/**
 * ClickHouse reports a failure after the first byte inside the body: newer servers between
 * `__exception__` marks that carry the tag announced in `X-ClickHouse-Exception-Tag`, older ones as bare
 * text at the very end. No format Sluice reads ends like the latter (JSON Lines end with `}`, Parquet
 * with `PAR1`).
 */
export function findException(tail: Buffer, tag: string | undefined): SluiceError | null {
  const text = tail.toString('latin1');
  const marked = tag ? text.lastIndexOf(`__exception__\r\n${tag}`) : -1;
  const from = marked >= 0 ? marked : text.search(BARE);
  if (from < 0) return null;
  const message = tail.subarray(from).toString('utf8');
  const found = /Code: (\d+)\. DB::Exception: (.*)/s.exec(message);
  if (!found) return null;
  return exceptionError(Number(found[1]), (found[2] ?? '').replace(/\n\d+ \w+\r\n__exception__\s*$/, ''));
}

const BARE = /Code: \d+\. DB::Exception: .*\(version [^()]*(?:\([^()]*\))?\)\s*$/s;
