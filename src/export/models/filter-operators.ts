import { SluiceError } from '../../errors/error.ts';
import { momentOf } from './filter-moment.ts';
import type { Fragment } from './fragment.ts';

/** A filter as it is stored (contract.md §3); only its type and the reserved names were checked when it was written. */
export type Filter = Readonly<Record<string, unknown>>;

/** ClickHouse's own limit for searching several needles at once. */
const MOST_NEEDLES = 255;

export interface Given {
  /** SQL of type Nullable(String). */
  readonly text: string;
  /** What the names of this filter's parameters begin with. */
  readonly name: string;
  readonly filter: Filter;
  /** Milliseconds; relative dates count from it. */
  readonly now: number;
}

interface Operands extends Given {
  readonly values: readonly unknown[];
}

type Compile = (operands: Operands) => Fragment | null;

export interface Operator {
  /** The condition; null = no constraint, which an empty list of values is, as PostHog has it. */
  readonly test: (given: Given) => Fragment | null;
  /** Whether it accepts what its opposite does not, and so what is absent. */
  readonly denies: boolean;
  /** False = whether there is a value, whichever. */
  readonly asksForValues: boolean;
}

/** A filter's operator. Throws `filter_invalid` when it is none, as does its `test` for values that do not fit. */
export function operatorOf(filter: Filter): Operator {
  const name = filter.operator ?? 'exact';
  const compile = typeof name === 'string' && Object.hasOwn(OPERATORS, name) && OPERATORS[name];
  if (!compile) throw invalid(filter, `there is no operator ${JSON.stringify(name)}`);
  const { value } = filter;
  const values = value === undefined || value === null ? [] : Array.isArray(value) ? value : [value];
  const asksForValues = name !== 'is_set' && name !== 'is_not_set';
  const nothing = Array.isArray(value) && values.length === 0 && asksForValues;
  return {
    test: (given) => (nothing ? null : compile({ ...given, values })),
    denies: ['is_not', 'not_in', 'not_icontains', 'not_regex'].includes(name),
    asksForValues,
  };
}

const OPERATORS: Readonly<Record<string, Compile>> = {
  exact: equalToAny,
  in: equalToAny,
  is_not: not(equalToAny),
  not_in: not(equalToAny),
  icontains: containsAny,
  not_icontains: not(containsAny),
  regex: matchesAny,
  not_regex: not(matchesAny),
  gt: compared('>'),
  gte: compared('>='),
  min: compared('>='),
  lt: compared('<'),
  lte: compared('<='),
  max: compared('<='),
  between,
  not_between: outside,
  is_set: ({ text }) => ({ sql: `isNotNull(${text})`, params: {} }),
  is_not_set: ({ text }) => ({ sql: `isNull(${text})`, params: {} }),
  is_date_exact: dated('='),
  is_date_before: dated('<'),
  is_date_after: dated('>'),
};

/** True for rows without the property, too: what is absent does not equal, contain or match anything. */
function not(compile: Compile): Compile {
  return (operands) => {
    const fragment = compile(operands);
    return fragment && { ...fragment, sql: `NOT (${fragment.sql})` };
  };
}

/** Equal as text; a number also equals other spellings of itself. */
function equalToAny({ text, name, values }: Operands): Fragment | null {
  if (values.length === 0) return null;
  const numbers = values.filter((value) => typeof value === 'number');
  const number = `ifNull(has({${name}_numbers:Array(Float64)}, toFloat64OrNull(${text})), 0)`;
  return {
    sql: `ifNull(has({${name}_values:Array(String)}, ${text}), 0)${numbers.length > 0 ? ` OR ${number}` : ''}`,
    params: {
      [`${name}_values`]: values.map(asText),
      ...(numbers.length > 0 ? { [`${name}_numbers`]: numbers } : {}),
    },
  };
}

function containsAny({ text, name, values, filter }: Operands): Fragment | null {
  if (values.length === 0) return null;
  if (values.length > MOST_NEEDLES) throw invalid(filter, `it has more than ${MOST_NEEDLES} values`);
  const texts = values.map(asText);
  // An empty text is in every other one; ClickHouse finds it in none that is empty itself.
  if (texts.includes('')) return { sql: `isNotNull(${text})`, params: {} };
  const needles = `{${name}_values:Array(String)}`;
  return {
    sql: `isNotNull(${text}) AND multiSearchAnyCaseInsensitiveUTF8(assumeNotNull(${text}), ${needles})`,
    params: { [`${name}_values`]: texts },
  };
}

/** ClickHouse refuses a pattern that is none with code 427, which becomes `filter_invalid`. */
function matchesAny({ text, name, values }: Operands): Fragment | null {
  if (values.length === 0) return null;
  const names = values.map((_value, index) => `${name}_pattern${index}`);
  return {
    sql: names.map((each) => `ifNull(match(${text}, {${each}:String}), 0)`).join(' OR '),
    params: Object.fromEntries(names.map((each, index) => [each, asText(values[index])])),
  };
}

/** Of several values one is enough. */
function anyOf(each: (value: unknown, operands: Operands, name: string) => Fragment): Compile {
  return (operands) => {
    const { values, filter, name } = operands;
    if (values.length === 0) throw invalid(filter, 'it needs a value');
    const fragments = values.map((value, index) => each(value, operands, `${name}_value${index}`));
    return {
      sql: fragments.map(({ sql }) => sql).join(' OR '),
      params: Object.assign({}, ...fragments.map(({ params }) => params)),
    };
  };
}

/** As numbers when the value is one, else as text in the order of its bytes, which suits ISO dates. */
function compared(operator: string): Compile {
  return anyOf((value, { text }, name) => {
    const number = numberOf(value);
    return number === null
      ? { sql: `ifNull(${text} ${operator} {${name}:String}, 0)`, params: { [name]: asText(value) } }
      : {
          sql: `ifNull(toFloat64OrNull(${text}) ${operator} {${name}:Float64}, 0)`,
          params: { [name]: number },
        };
  });
}

function between(operands: Operands): Fragment {
  const [number, params] = bounds(operands);
  const { name } = operands;
  return {
    sql: `ifNull(${number} >= {${name}_low:Float64} AND ${number} <= {${name}_high:Float64}, 0)`,
    params,
  };
}

/** A number outside the bounds; what is no number is neither inside nor outside. */
function outside(operands: Operands): Fragment {
  const [number, params] = bounds(operands);
  const { name } = operands;
  return {
    sql: `ifNull(${number} < {${name}_low:Float64} OR ${number} > {${name}_high:Float64}, 0)`,
    params,
  };
}

function bounds({ text, name, values, filter }: Operands): [string, Record<string, number>] {
  const [low, high] = values.map(numberOf);
  if (values.length !== 2 || low == null || high == null) throw invalid(filter, 'it needs two numbers');
  return [`toFloat64OrNull(${text})`, { [`${name}_low`]: low, [`${name}_high`]: high }];
}

/** Instants are compared: a date is its midnight, in the property as in the filter. */
function dated(operator: string): Compile {
  return anyOf((value, { text, filter, now }) => {
    const moment = typeof value === 'string' ? momentOf(value, now) : null;
    if (moment === null) throw invalid(filter, 'it needs a date such as 2026-01-31, a time, or -7d');
    const at = `toUnixTimestamp64Micro(parseDateTime64BestEffortOrNull(${text}, 6, 'UTC'))`;
    return { sql: `ifNull(${at} ${operator} ${moment * 1000}, 0)`, params: {} };
  });
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function numberOf(value: unknown): number | null {
  const number =
    typeof value === 'number'
      ? value
      : typeof value === 'string' && value.trim()
        ? Number(value)
        : Number.NaN;
  return Number.isFinite(number) ? number : null;
}

export function invalid(filter: Filter, why: string): SluiceError {
  const detail = `The filter on ${JSON.stringify(filter.key ?? null).slice(0, 200)} cannot be evaluated: ${why}.`;
  return new SluiceError('filter_invalid', { detail });
}
