import { SluiceError } from '../../errors/error.ts';
import { type Filter, invalid, operatorOf } from './filter-operators.ts';
import type { Fragment } from './fragment.ts';

const COLUMNS: Readonly<Record<string, string>> = { event: 'properties', person: 'person_properties' };

/**
 * The conditions of an export's filters, to be joined by AND; values are parameters, never SQL. `person` filters look at
 * the event's own person properties. `now` (milliseconds) is what relative dates count from. Throws `filter_invalid`
 * for what cannot be evaluated and `model_not_available` for `hogql` filters.
 */
export function filterFragments(filters: readonly Filter[], now: number): Fragment[] {
  return filters.flatMap((filter, index) => {
    const fragment = condition(filter, `f${index}`, now);
    return fragment === null ? [] : [fragment];
  });
}

/** Null = no constraint. */
function condition(filter: Filter, name: string, now: number): Fragment | null {
  if (filter.type === 'hogql') {
    const detail = 'Filters of type hogql are not available in this version; nothing was exported.';
    throw new SluiceError('model_not_available', { detail });
  }
  const column = COLUMNS[String(filter.type)];
  const { key } = filter;
  if (column === undefined || typeof key !== 'string') throw invalid(filter, 'it needs a type and a key');
  const compile = operatorOf(filter);
  const text = propertyText(column, `{${name}_key:String}`);
  const { sql, params } = compile({ text, name, filter, now }) ?? {};
  return sql === undefined ? null : { sql, params: { ...params, [`${name}_key`]: key } };
}

/**
 * The property as text, NULL when it is absent or JSON's null: a string without its quotes, anything else as its JSON.
 * So 10 and "10" are the same, as in PostHog. `key` is SQL, too; several keys lead into objects.
 */
export function propertyText(column: string, key: string): string {
  const raw = `JSONExtractRaw(${column}, ${key})`;
  return `multiIf(${raw} IN ('', 'null'), NULL, startsWith(${raw}, '"'), JSONExtractString(${column}, ${key}), ${raw})`;
}
