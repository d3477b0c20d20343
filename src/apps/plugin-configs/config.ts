import { SluiceError } from '../../errors/error.ts';
import type { App, AppField } from '../catalogue/app.ts';
import type { AppsPorts } from '../ports.ts';

/** The rules of a plugin config's `config`, driven by the app's fields. */
export type Config = Readonly<Record<string, unknown>>;

/** Stands for a secret that is stored. Sent back, it means: as it is. */
export const MASK = 'stored, never shown';

const refuse = (key: string, detail: string): SluiceError =>
  new SluiceError('invalid_input', { attr: `config__${key}`, detail });

/**
 * The complete config that `sent` makes of `stored` (null = a new one): keys that are not sent stay, null and blank text
 * remove, defaults fill. `secretsLost`: of what is stored the secrets cannot be read. Throws the first problem with attr
 * `config__<key>`; never repeats a value.
 */
export async function readConfig(
  ports: Pick<AppsPorts, 'problemWithHost'>,
  app: App,
  sent: Config,
  stored: Config | null,
  secretsLost = false,
): Promise<Config> {
  const known = new Map(app.fields.map((field) => [field.key, field]));
  const unknown = Object.keys(sent).find((key) => !known.has(key));
  if (unknown !== undefined) throw refuse(unknown.slice(0, 100), `${app.name} has no such setting.`);
  if (secretsLost) askForSecrets(app, sent);
  const config = Object.fromEntries(
    app.fields.flatMap((field) => {
      const value = fieldValue(field, sent, stored);
      return value === undefined ? [] : [[field.key, value]];
    }),
  );
  if (stored !== null) refuseToTakeSecretsElsewhere(app, config, sent, stored);
  const [problem] = await app.check(config, { problemWithHost: ports.problemWithHost });
  if (problem) throw refuse(problem.key, problem.detail);
  return config;
}

function fieldValue(field: AppField, sent: Config, stored: Config | null): unknown {
  const before = stored?.[field.key];
  let value = Object.hasOwn(sent, field.key) ? sent[field.key] : (before ?? field.default);
  if (field.secret && value === MASK) value = before;
  const missing = value === undefined || value === null || (typeof value === 'string' && value.trim() === '');
  if (!missing) return readValue(field, value);
  if (!field.required) return undefined;
  throw new SluiceError(typeof value === 'string' ? 'blank' : value === null ? 'null' : 'required', {
    attr: `config__${field.key}`,
  });
}

const LONGEST = 4000;

function readValue(field: AppField, value: unknown): string | boolean | number {
  switch (field.type) {
    case 'string':
      if (typeof value !== 'string') throw refuse(field.key, 'Not a valid string.');
      if (value.length > LONGEST) throw new SluiceError('max_length', { attr: `config__${field.key}` });
      return field.secret ? value : value.trim();
    case 'choice':
      if (typeof value === 'string' && field.choices?.includes(value)) return value;
      throw new SluiceError('invalid_choice', {
        attr: `config__${field.key}`,
        detail: `Must be one of ${(field.choices ?? []).join(', ')}.`,
      });
    case 'boolean':
      if (typeof value === 'boolean') return value;
      if (value === 'true' || value === 'false') return value === 'true';
      throw refuse(field.key, 'Must be a valid boolean.');
    case 'integer':
      return readInteger(field, value);
  }
}

function readInteger({ key, min, max }: AppField, value: unknown): number {
  const number = typeof value === 'string' && /^\s*-?\d{1,15}\s*$/.test(value) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
    throw refuse(key, 'A valid integer is required.');
  }
  const attr = `config__${key}`;
  if (min !== undefined && number < min) throw new SluiceError('min_value', { attr });
  if (max !== undefined && number > max) throw new SluiceError('max_value', { attr });
  return number;
}

/** Nobody knows any more which of them there were: each is sent again, or given up, lest one goes without a word. */
function askForSecrets(app: App, sent: Config): void {
  const missing = app.fields.find(({ key, secret }) => secret && isKept(sent, key));
  if (!missing) return;
  throw new SluiceError('required', {
    attr: `config__${missing.key}`,
    detail: 'The stored secrets cannot be read: send this one again, or null to go without it.',
  });
}

const isKept = (sent: Config, key: string): boolean => !Object.hasOwn(sent, key) || sent[key] === MASK;

/**
 * Whoever may change a URL must not thereby read the secrets that others stored: a new origin gets none of them, they
 * are asked for again. Secrets are no addresses, whatever they look like.
 */
function refuseToTakeSecretsElsewhere(app: App, config: Config, sent: Config, stored: Config): void {
  const elsewhere = app.fields.some(({ key, secret }) => {
    const origin = originOf(config[key]);
    return !secret && origin !== null && origin !== originOf(stored[key]);
  });
  if (!elsewhere) return;
  const kept = app.fields.find(({ key, secret }) => secret && config[key] !== undefined && isKept(sent, key));
  if (!kept) return;
  throw new SluiceError('required', {
    attr: `config__${kept.key}`,
    detail: 'The address is another one: send this secret again with it.',
  });
}

/** Of the address that requests go to, not of the text: `new URL` drops tabs and control characters. */
function originOf(value: unknown): string | null {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : null;
  return url && ['http:', 'https:'].includes(url.protocol) ? url.origin : null;
}
