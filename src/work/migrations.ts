import { readdirSync, readFileSync } from 'node:fs';
import { SluiceError } from '../errors/error.ts';

/** The migrations `NNNN_name.sql` of a folder, in order. */
export function migrationsIn(folder: URL): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.sql'))
    .sort();
}

/** Our files end every statement with `;` at a line's end and have no such line inside a literal. */
export function statementsOf(folder: URL, name: string): string[] {
  return readFileSync(new URL(name, folder), 'utf8')
    .split(/;\s*$/m)
    .map((part) => part.replace(/^\s*--.*$/gm, '').trim())
    .filter(Boolean);
}

/** Throws `made_by_newer` when a migration is applied that this version does not know. */
export function refuseUnknown(
  what: 'database' | 'warehouse',
  applied: ReadonlySet<string>,
  known: readonly string[],
): void {
  const unknown = [...applied].filter((name) => !known.includes(name));
  if (unknown.length === 0) return;
  throw new SluiceError('made_by_newer', {
    detail: `The ${what} was made by a newer Sluice (it has ${unknown.join(', ')}); start that one, or restore the copy from before the update.`,
  });
}
