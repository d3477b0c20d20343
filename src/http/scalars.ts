import { SluiceError } from '../errors/error.ts';
import { parseDateTime } from './dates.ts';
import type { Schema } from './schema-node.ts';
import { uuidOf } from './uuid.ts';

const TRUE = new Set<unknown>([true, 1, 't', 'y', 'yes', 'true', 'on', '1']);
const FALSE = new Set<unknown>([false, 0, 'f', 'n', 'no', 'false', 'off', '0']);

const invalid = (attr: string | null, detail: string) => new SluiceError('invalid_input', { attr, detail });

/** Lenient as the original API is: `"true"`, `"on"`, `1`. */
export function readBoolean(value: unknown, attr: string | null): boolean {
  const key = typeof value === 'string' ? value.trim().toLowerCase() : value;
  if (TRUE.has(key)) return true;
  if (FALSE.has(key)) return false;
  throw invalid(attr, 'Must be a valid boolean.');
}

/** Whole numbers, also as text (`"5"`, `"5.0"`) and within `minimum` and `maximum`. */
export function readInteger(schema: Schema, value: unknown, attr: string | null): number {
  // A reference to another object by its number answers differently to a wrong type (contract.md §1.4).
  const wrongType = () =>
    schema['x-reference'] === true
      ? new SluiceError('incorrect_type', { attr, detail: 'Incorrect type. Expected a number.' })
      : invalid(attr, 'A valid integer is required.');
  const number = readNumeric(value);
  if (number === null || !Number.isSafeInteger(number)) throw wrongType();
  return withinBounds(schema, number, attr);
}

/** Numbers, also as text. */
export function readNumber(schema: Schema, value: unknown, attr: string | null): number {
  const number = readNumeric(value);
  if (number === null) throw invalid(attr, 'A valid number is required.');
  return withinBounds(schema, number, attr);
}

function readNumeric(value: unknown): number | null {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*[+-]?\d{1,300}(\.\d{1,300})?\s*$/.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}

function withinBounds(schema: Schema, value: number, attr: string | null): number {
  if (schema.maximum !== undefined && value > schema.maximum) {
    throw new SluiceError('max_value', {
      attr,
      detail: `Ensure this value is less than or equal to ${schema.maximum}.`,
    });
  }
  if (schema.minimum !== undefined && value < schema.minimum) {
    throw new SluiceError('min_value', {
      attr,
      detail: `Ensure this value is greater than or equal to ${schema.minimum}.`,
    });
  }
  return value;
}

/**
 * Text: numbers become text, surrounding space goes (unless `x-verbatim`, for secrets), `minLength: 1`
 * means *not blank*. `format: date-time` comes out as UTC ISO-8601, `format: uuid` in lower case.
 */
export function readText(schema: Schema, value: unknown, attr: string | null): string {
  if (typeof value !== 'string' && typeof value !== 'number') throw invalid(attr, 'Not a valid string.');
  const text = schema['x-verbatim'] === true ? String(value) : String(value).trim();
  const shortest = schema.minLength ?? 0;
  if (text.trim() === '' && shortest > 0) throw new SluiceError('blank', { attr });
  if (text.length < shortest) throw invalid(attr, `Ensure this field has at least ${shortest} characters.`);
  if (schema.maxLength !== undefined && text.length > schema.maxLength) {
    throw new SluiceError('max_length', {
      attr,
      detail: `Ensure this field has no more than ${schema.maxLength} characters.`,
    });
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(text))
    throw invalid(attr, 'Invalid value.');
  if (schema.format === 'uuid') return readUuid(text, attr);
  if (schema.format === 'date-time') return readDateTime(text, attr);
  return text;
}

function readUuid(text: string, attr: string | null): string {
  const uuid = uuidOf(text);
  if (uuid === null) throw invalid(attr, 'Must be a valid UUID.');
  return uuid;
}

/** `2026-01-01 10:00` and the like; without an offset it is UTC (contract.md §4.3). */
function readDateTime(text: string, attr: string | null): string {
  const instant = parseDateTime(text, 'UTC');
  if (instant === null) {
    throw invalid(attr, 'Datetime has wrong format. Use ISO 8601, for example 2026-01-31T08:00:00Z.');
  }
  return instant.toString();
}

/** One of a closed set; anything is compared by its text. */
export function readChoice(choices: readonly unknown[], value: unknown, attr: string | null): unknown {
  const scalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const found = scalar ? choices.find((choice) => String(choice) === String(value)) : undefined;
  if (found !== undefined) return found;
  const shown = scalar ? `"${String(value).slice(0, 100)}"` : 'This value';
  throw new SluiceError('invalid_choice', { attr, detail: `${shown} is not a valid choice.` });
}
