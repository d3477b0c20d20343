import type { ErrorCode } from '../../errors/catalogue.ts';
import { SluiceError } from '../../errors/error.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  /** The first few thousand characters of the body. */
  readonly text: string;
}

/** The cause of an error that may be about this very batch: in smaller pieces, some of it may be taken. */
export const PERHAPS_THE_BATCH = Symbol('perhaps the batch');

/** Of the credentials, the address or the moment. */
const NOT_THE_BATCH = [401, 404, 405, 407, 410, 423, 425, 429, 503];

/**
 * What an answer means; null = the batch was taken. Statuses that a person can mend (credentials, address) are tried
 * again: the events wait in the warehouse. Only what the receiver says of these very events is final.
 */
export function verdictOf({ status, retryAfter, text }: HttpAnswer, now: number): SluiceError | null {
  if (status >= 200 && status < 300) return null;
  // Whole: secrets are masked in it before it is cut (attempt.ts).
  const said = text.trim() === '' ? '' : `: ${text.trim()}`;
  const wish = secondsOf(retryAfter, now);
  return new SluiceError(codeOf(status), {
    detail: `The receiver answered ${status}${said}`,
    ...(wish === null ? {} : { retryAfter: wish }),
    ...(wish === null && status >= 400 && !NOT_THE_BATCH.includes(status)
      ? { cause: PERHAPS_THE_BATCH }
      : {}),
  });
}

function codeOf(status: number): ErrorCode {
  if (status >= 500 || [408, 409, 423, 425, 429].includes(status)) return 'destination_unavailable';
  if (status === 401 || status === 403 || status === 407) return 'destination_denied';
  if (status === 404 || status === 410) return 'destination_missing';
  if (status === 413) return 'delivery_too_large';
  // A redirect, another protocol (101) or another 4xx speaks of the address or the method, not of these events.
  return status === 400 || status === 422 ? 'delivery_refused' : 'destination_config';
}

/** `Retry-After`: seconds or a date. Null without a usable one. */
function secondsOf(text: string | undefined, now: number): number | null {
  if (text === undefined) return null;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text);
  const at = Date.parse(text);
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now) / 1000));
}
