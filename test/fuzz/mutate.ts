import fc from 'fast-check';
import { odd } from './values.ts';

type Json = unknown;
type Path = readonly (string | number)[];

/** One thing done to a JSON value; `where` picks the place among all there are. */
export type Mutation =
  | { readonly kind: 'replace' | 'add' | 'rename'; readonly where: number; readonly value: unknown }
  | { readonly kind: 'remove' | 'wrap' | 'repeat'; readonly where: number };

const where = fc.nat(1000);
export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), where, value: odd }),
  fc.record({ kind: fc.constant('replace' as const), where, value: odd }),
  fc.record({ kind: fc.constantFrom('add' as const, 'rename' as const), where, value: odd }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'wrap' as const, 'repeat' as const), where }),
);

/** The value with the mutations done in order. Own `__proto__` keys stay keys. */
export function mutated(value: Json, mutations: readonly Mutation[]): Json {
  let result = value;
  for (const one of mutations) {
    const places = paths(result);
    result = change(result, places[one.where % places.length] ?? [], one);
  }
  return result;
}

function paths(value: Json, at: Path = []): Path[] {
  // Deep values are there to be sent, not to be walked.
  if (value === null || typeof value !== 'object' || at.length > 6) return [at];
  return [
    at,
    ...Object.keys(value).flatMap((key) => paths((value as Record<string, Json>)[key], [...at, key])),
  ];
}

function change(value: Json, path: Path, one: Mutation): Json {
  const [key, ...rest] = path;
  if (key === undefined) return here(value, one);
  const copy = copied(value);
  const old = (copy as Record<string | number, Json>)[key];
  if (rest.length === 0 && one.kind === 'remove') delete (copy as Record<string | number, Json>)[key];
  else if (rest.length === 0 && one.kind === 'rename' && !Array.isArray(copy)) {
    delete (copy as Record<string | number, Json>)[key];
    set(copy, named(one.value), old);
  } else set(copy, key, change(old, rest, one));
  return copy;
}

function here(value: Json, one: Mutation): Json {
  switch (one.kind) {
    case 'replace':
      return one.value;
    case 'wrap':
      return [value];
    case 'repeat':
      return Array.isArray(value) ? [...value, ...value] : [value, value];
    case 'add': {
      if (value === null || typeof value !== 'object') return { [named(one.value)]: value };
      const copy = copied(value);
      set(copy, Array.isArray(copy) ? copy.length : named(one.value), one.value);
      return copy;
    }
    default:
      return value;
  }
}

const copied = (value: Json): object => (Array.isArray(value) ? [...value] : { ...(value as object) });

function set(target: object, key: string | number, value: Json): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

/** An object may well have a `toString` of its own that is none. */
const named = (value: Json): string => (typeof value === 'object' ? JSON.stringify(value) : String(value));
