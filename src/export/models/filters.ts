import { SluiceError } from '../../errors/error.ts';
import { type Filter, invalid, type Operator, operatorOf } from './filter-operators.ts';
import type { Fragment } from './fragment.ts';

const COLUMNS: Readonly<Record<string, string>> = { event: 'properties', person: 'person_properties' };
/** Properties of exceptions that hold a JSON list of texts, or that list as text; filters look at what is in it. */
const LISTS = ['$exception_types', '$exception_values', '$exception_sources', '$exception_functions'];

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
  if (key.startsWith('$virt_')) {
    throw invalid(filter, 'PostHog computes such properties when it is asked; no event holds them');
  }
  const operator = operatorOf(filter);
  if (filter.type === 'event' && key === '$elements_chain') {
    return operator.test({ text: `nullIf(elements_chain, '')`, name, filter, now });
  }
  const text = propertyText(column, `{${name}_key:String}`);
  const ofElements = filter.type === 'event' && LISTS.includes(key) && operator.asksForValues;
  const fragment = ofElements
    ? elements(text, operator, (element) => operator.test({ text: element, name, filter, now }))
    : operator.test({ text, name, filter, now });
  return fragment && { sql: fragment.sql, params: { ...fragment.params, [`${name}_key`]: key } };
}

/** One element that fits, or, of the operators that deny, none that does not. What is no list has no elements. */
function elements(
  text: string,
  { denies }: Pick<Operator, 'denies'>,
  test: (element: string) => Fragment | null,
): Fragment | null {
  const fragment = test('element');
  const list = `JSONExtract(ifNull(${text}, ''), 'Array(String)')`;
  return (
    fragment && {
      sql: `${denies ? 'arrayAll' : 'arrayExists'}(element -> (${fragment.sql}), ${list})`,
      params: fragment.params,
    }
  );
}

/**
 * The property as text, NULL when it is absent or JSON's null: a string without its quotes, anything else as its JSON.
 * So 10 and "10" are the same, as in PostHog. `key` is SQL, too; several keys lead into objects.
 */
export function propertyText(column: string, key: string): string {
  const raw = `JSONExtractRaw(${column}, ${key})`;
  return `multiIf(${raw} IN ('', 'null'), NULL, startsWith(${raw}, '"'), JSONExtractString(${column}, ${key}), ${raw})`;
}
