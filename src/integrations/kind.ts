import { SluiceError } from '../errors/error.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** What is stored of an integration. */
export interface Credentials {
  /** What two integrations of a kind in a project must not share. */
  readonly identity: string;
  /** Whether one that is there already is replaced, by an administrator; else it is refused. */
  readonly replaces?: true;
  /** Returned by the API. */
  readonly config: Fields;
  /** Sealed at rest, never returned. */
  readonly secrets: Fields;
}

/** A kind of integration is one object of this shape in one file, and one line in `kinds.ts`. */
export interface IntegrationKind {
  readonly kind: string;
  /** Checks what was sent. Throws `invalid_input` with attr null (contract.md §10). */
  read(config: Fields, ports: KindPorts): Promise<Credentials>;
  /** What the server adds when it is used: never stored, returned or taken from anybody. */
  atUse?(config: Fields, organizationId: string): Fields;
  /** For people: which one is it? Null = its number is all there is to say. */
  displayName(config: Fields): string | null;
}

export interface KindPorts {
  /** Null when the host may be reached, else what is wrong with it. */
  readonly problemWithHost: (host: string) => Promise<string | null>;
}

export const invalidConfig = (detail: string): SluiceError => new SluiceError('invalid_input', { detail });

const LONGEST = 4000;

/** A text field, trimmed; missing, blank or of another type is refused. Never repeats the value. */
export function readText(config: Fields, name: string, longest = LONGEST): string {
  const value = Object.hasOwn(config, name) ? config[name] : undefined;
  if (typeof value !== 'string' || value.trim() === '') throw invalidConfig(`${name} is required.`);
  if (value.length > longest) throw invalidConfig(`${name} is too long.`);
  return value.trim();
}

export const isGiven = (config: Fields, name: string): boolean =>
  Object.hasOwn(config, name) && config[name] !== null && config[name] !== '';
