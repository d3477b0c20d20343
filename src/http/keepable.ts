import { SluiceError } from '../errors/error.ts';

/** Deeper JSON than this is refused: writing it out again recurses and could exhaust the stack. */
const DEEPEST = 100;

/**
 * Refuses what no database can keep: NUL anywhere, halves of surrogate pairs (valid JSON, `"\ud800"`,
 * but neither UTF-8 nor jsonb), nesting without end, and the key `__proto__`, which poisons merges.
 * `attr` names the field that is told.
 */
export function refuseUnkeepable(value: unknown, attr: string | null, depth = 0): void {
  if (typeof value === 'string') refuseText(value, attr);
  if (value === null || typeof value !== 'object') return;
  if (depth === DEEPEST) {
    throw new SluiceError('invalid_input', { attr, detail: `Nested more than ${DEEPEST} levels deep.` });
  }
  if (Array.isArray(value)) {
    for (const item of value) refuseUnkeepable(item, attr, depth + 1);
    return;
  }
  for (const [key, item] of Object.entries(value)) {
    if (key === '__proto__')
      throw new SluiceError('invalid_input', { attr, detail: 'The key is not allowed.' });
    refuseText(key, attr);
    refuseUnkeepable(item, attr, depth + 1);
  }
}

function refuseText(text: string, attr: string | null): void {
  if (text.includes('\0')) throw new SluiceError('null_characters_not_allowed', { attr });
  if (!text.isWellFormed()) throw new SluiceError('surrogate_characters_not_allowed', { attr });
}
