import { InvalidArgumentError } from 'commander';

/**
 * For options whose empty text, a script's unset variable, would mean something: every interface, the current
 * directory, no password.
 */
export function filled(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('Must not be empty.');
}

/** The same for an option that takes several. */
export const allFilled = (text: string, before: readonly string[] = []): string[] => [
  ...before,
  filled(text),
];
