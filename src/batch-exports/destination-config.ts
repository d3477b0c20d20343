import { SluiceError } from '../errors/error.ts';
import type { Destination } from '../export/destinations/destination.ts';

/** The generic rules of `destination.config` (contract.md §5), driven by the destination's own schema. Pure. */
export type Config = Readonly<Record<string, unknown>>;

interface Property {
  readonly type?: string;
  readonly items?: { readonly type?: string };
  /** Of one that may be null. */
  readonly anyOf?: readonly { readonly type?: string }[];
  /** Null is a value, too; everything else is checked as without it. */
  readonly orNull?: true;
}

const STRINGS: Property = { type: 'array', items: { type: 'string' }, orNull: true };
/** Accepted for every destination; as upstream has them, a list or null. */
const SHARED: Readonly<Record<string, Property>> = { exclude_events: STRINGS, include_events: STRINGS };
/** Accepted because upstream accepts them; nobody sends them and nothing reads them. */
const TECHNICAL = new Set([
  'batch_export_id',
  'team_id',
  'interval',
  'timezone',
  'data_interval_end',
  'is_backfill',
  'is_earliest_backfill',
  'backfill_details',
  'batch_export_model',
  'batch_export_schema',
  'integration_id',
]);

const refuse = (detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: 'destination__non_field_errors', detail });

/**
 * The config as sent, with the two conversions done (text to bool, text to int). Throws 400 invalid_input with attr
 * `destination__non_field_errors`: unknown keys first (all of them), then missing ones (`complete` only), then types.
 */
export function readDestinationConfig(
  destination: Destination,
  sent: Config,
  options: { readonly complete: boolean },
): Config {
  const known = { ...propertiesOf(destination), ...SHARED };
  const names = Object.keys(sent);
  const unknown = names.filter((name) => !Object.hasOwn(known, name) && !TECHNICAL.has(name));
  if (unknown.length > 0) {
    throw refuse(`${destination.title} does not know: ${unknown.map((name) => `'${name}'`).join(', ')}.`);
  }
  const required = (destination.config.required ?? []) as readonly string[];
  const missing = required.filter((name) => !Object.hasOwn(sent, name));
  if (options.complete && missing.length > 0) {
    throw refuse(`${destination.title} needs: ${missing.map((name) => `'${name}'`).join(', ')}.`);
  }
  return Object.fromEntries(names.map((name) => [name, readValue(name, known[name], sent[name])]));
}

const propertiesOf = (destination: Destination): Readonly<Record<string, Property>> =>
  destination.config.properties as Readonly<Record<string, Property>>;

/**
 * A property without a plain type (one that may be null, or one of several) is left to the destination's check; digits
 * for a number or null are read.
 */
function readValue(name: string, property: Property | undefined, value: unknown): unknown {
  if (value === null && property?.orNull) return null;
  switch (property?.type) {
    case 'string':
      return expectType(name, 'string', value, typeof value === 'string');
    case 'boolean':
      return expectType(name, 'bool', toBoolean(value) ?? value, toBoolean(value) !== null);
    case 'integer':
      return expectType(name, 'int', toInteger(value) ?? value, toInteger(value) !== null);
    case 'array': {
      const fits = Array.isArray(value) && value.every((item) => typeOf(item) === property.items?.type);
      return expectType(name, `list of ${property.items?.type ?? 'values'}s`, value, fits);
    }
    case 'object':
      return expectType(name, 'object', value, typeOf(value) === 'object');
    default:
      return typeof value === 'string' && isIntegerOrNull(property) ? (toInteger(value) ?? value) : value;
  }
}

const isIntegerOrNull = (property: Property | undefined): boolean =>
  property?.anyOf?.every(({ type }) => type === 'integer' || type === 'null') ?? false;

function expectType(name: string, expected: string, value: unknown, fits: boolean): unknown {
  if (fits) return value;
  throw refuse(`'${name}': expected ${expected}, got ${typeOf(value)}.`);
}

function toBoolean(value: unknown): boolean | null {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') return null;
  const word = value.trim().toLowerCase();
  if (['true', '1', 'yes', 'on'].includes(word)) return true;
  return ['false', '0', 'no', 'off'].includes(word) ? false : null;
}

function toInteger(value: unknown): number | null {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : null;
  if (typeof value !== 'string' || !/^\s*[+-]?\d{1,15}\s*$/.test(value)) return null;
  return Number(value);
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

const isObject = (value: unknown): value is Config => typeOf(value) === 'object';

/** Objects merge recursively, everything else replaces (contract.md §4.3, "Update merge"). */
export function deepMerge(stored: Config, sent: Config): Config {
  const merged: Record<string, unknown> = { ...stored };
  for (const [key, value] of Object.entries(sent)) {
    const old = merged[key];
    merged[key] = isObject(old) && isObject(value) ? deepMerge(old, value) : value;
  }
  return merged;
}

/** Parts secret keys, at any depth, from the rest. `deepMerge(open, secret)` is the whole again. */
export function splitSecrets(
  config: Config,
  secretKeys: readonly string[],
): { open: Config; secret: Config } {
  const open: Record<string, unknown> = {};
  const secret: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(config)) {
    if (secretKeys.includes(key)) {
      secret[key] = value;
    } else if (isObject(value)) {
      const parts = splitSecrets(value, secretKeys);
      open[key] = parts.open;
      if (Object.keys(parts.secret).length > 0) secret[key] = parts.secret;
    } else {
      open[key] = value;
    }
  }
  return { open, secret };
}

const LEGACY = 'legacy_parquet_extension';

/**
 * The pinning of codec-bearing Parquet names (contract.md §5): new exports do without; a stored one that never said keeps what
 * it has been writing, from before this change. Throws when `true` is asked for where it was not so already.
 */
export function pinLegacyExtension(destination: Destination, stored: Config | null, sent: Config): Config {
  if (!Object.hasOwn(propertiesOf(destination), LEGACY)) return stored ?? {};
  const written = stored !== null && (stored[LEGACY] ?? writesCodecNames(stored)) === true;
  if (sent[LEGACY] === true && !written) {
    throw new SluiceError('invalid_input', {
      attr: 'destination',
      detail: `'${LEGACY}' can only stay on where it is on; new files are named .parquet.`,
    });
  }
  return { [LEGACY]: written, ...stored };
}

const writesCodecNames = (stored: Config): boolean =>
  stored.file_format === 'Parquet' && typeof stored.compression === 'string';
