import type { ErrorCode } from '../../errors/catalogue.ts';
import { SluiceError } from '../../errors/error.ts';
import type { ReadRequest, SentRequest } from '../reader.ts';

/** Between the server's thread and one that reads captured requests; `id` is of the request it is about. */

/** To the thread: a request, or the project that it asked for. */
export type ToThread =
  | { readonly id: number; readonly request: SentRequest }
  | { readonly id: number; readonly project: { readonly id: number } | null }
  | { readonly id: number; readonly failure: Failure };

/** From the thread: a question for the project of a key, or what became of a request. */
export type FromThread =
  | { readonly id: number; readonly key: string }
  | { readonly id: number; readonly read: ReadRequest }
  | { readonly id: number; readonly failure: Failure };

/** On its way between threads a Buffer becomes a plain array of bytes. */
export function asBuffer(bytes: Uint8Array<ArrayBuffer>): Buffer<ArrayBuffer>;
export function asBuffer(bytes: Uint8Array): Buffer;
export function asBuffer({ buffer, byteOffset, length }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, length);
}

/** An error as plain data. Without a code it is a bug. */
export interface Failure {
  readonly code: ErrorCode | null;
  readonly attr: string | null;
  readonly detail: string;
  readonly retryAfter: number | undefined;
  readonly stack: string | undefined;
}

export function failureOf(error: unknown): Failure {
  if (error instanceof SluiceError) {
    const { code, attr, message, retryAfter } = error;
    return { code, attr, detail: message, retryAfter, stack: undefined };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  return { code: null, attr: null, detail: message, retryAfter: undefined, stack };
}

export function errorOf({ code, attr, detail, retryAfter, stack }: Failure): Error {
  if (code === null) return Object.assign(new Error(detail), stack === undefined ? {} : { stack });
  return new SluiceError(code, { attr, detail, ...(retryAfter === undefined ? {} : { retryAfter }) });
}
