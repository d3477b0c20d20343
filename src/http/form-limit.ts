import { SluiceError } from '../errors/error.ts';

/** As Django has it. Every field costs, before anybody knows who sends it: a million of them keep the thread for 40 s. */
export const MOST_FIELDS = 1_000;

/** Throws `parse_error` when a URL-encoded form has too many fields. It is not decoded for that. */
export const refuseTooManyFields = (form: string): void =>
  // There is a sign between two.
  refuseTooMany(form, /&/g, { most: MOST_FIELDS, what: 'fields', from: 1 });

/**
 * Throws `parse_error` when what each of something in a form has (`sign`, with its flag g) comes too often. Counts from
 * `from`, default 0.
 */
export function refuseTooMany(
  form: string,
  sign: RegExp,
  { most, what, from = 0 }: { readonly most: number; readonly what: string; readonly from?: number },
): void {
  let found = from;
  for (const _ of form.matchAll(sign)) {
    if (++found > most) {
      throw new SluiceError('parse_error', { detail: `The form has more than ${most} ${what}.` });
    }
  }
}
