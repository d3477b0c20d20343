/**
 * Every function that may be printed, by its name in queries, and what ClickHouse calls it; what is not here is refused. All
 * compute with their arguments alone: none reads a file, a table, a dictionary, a setting or the network, and none
 * waits.
 */
const SAME_NAME = `
  abs ceil floor round sqrt greatest least modulo
  if multiIf coalesce ifNull nullIf isNull isNotNull empty notEmpty and or not
  lower upper length lengthUTF8 substring left right trim trimLeft trimRight startsWith endsWith position
  positionCaseInsensitive replaceOne replaceAll splitByChar splitByString match extract reverse
  array tuple has indexOf arrayElement arrayConcat arrayDistinct arraySort arrayStringConcat
  JSONHas JSONLength JSONExtractString JSONExtractInt JSONExtractFloat JSONExtractBool JSONExtractRaw
  toString toDate toUnixTimestamp toYear toQuarter toMonth toDayOfMonth toDayOfWeek toDayOfYear toHour toMinute toSecond
  toYYYYMM toYYYYMMDD toStartOfYear toStartOfQuarter toStartOfMonth toStartOfWeek toStartOfDay toStartOfHour
  toStartOfMinute toStartOfFiveMinutes toStartOfTenMinutes toStartOfFifteenMinutes toMonday dateTrunc dateDiff
  toIntervalSecond toIntervalMinute toIntervalHour toIntervalDay toIntervalWeek toIntervalMonth toIntervalQuarter
  toIntervalYear formatDateTime domain path cutQueryString
`;

const AGGREGATES = `
  count countIf sum sumIf avg avgIf min minIf max maxIf any anyIf anyLast uniq uniqIf uniqExact uniqExactIf argMin argMax
  median quantile groupArray groupUniqArray stddevPop varPop
`;

/** Those whose names SQL writes in any case. */
const CASELESS = `
  abs ceil floor round sqrt greatest least if coalesce ifNull nullIf and or not
  concat lower upper length substring left right trim position reverse now today yesterday
  count sum avg min max any median
`;

const words = (text: string): string[] => text.split(/\s+/).filter(Boolean);

const PLAIN: ReadonlySet<string> = new Set(words(SAME_NAME));
const AGGREGATE: ReadonlySet<string> = new Set(words(AGGREGATES));

const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map(
  words(CASELESS).map((name) => [name.toLowerCase(), name]),
);

/** Functions of queries that ClickHouse has under another name, or with another behaviour. */
const WRITTEN: Readonly<Record<string, (args: readonly string[], zone: string) => string>> = {
  // With NULL among them ClickHouse's is NULL.
  concat: (args) => `concat(${args.map((arg) => `ifNull(toString(${arg}), '')`).join(', ')})`,
  toInt: (args) => `accurateCastOrNull(${args.join(', ')}, 'Int64')`,
  toFloat: (args) => `accurateCastOrNull(${args.join(', ')}, 'Float64')`,
  toUUID: (args) => `accurateCastOrNull(${args.join(', ')}, 'UUID')`,
  toDateTime: (args, zone) => `parseDateTime64BestEffortOrNull(toString(${args.join(', ')}), 6, ${zone})`,
  now: (args, zone) => `now64(6, ${args.length > 0 ? args.join(', ') : zone})`,
  today: (args, zone) => `toDate(now(${[...args, zone].join(', ')}))`,
  yesterday: (args, zone) => `(toDate(now(${[...args, zone].join(', ')})) - 1)`,
  _caseWithExpression: (args) => `caseWithExpression(${args.join(', ')})`,
};

/** A function's name as the list has it; what the list lacks stays as it is. */
export function functionNamed(name: string): string {
  const listed = PLAIN.has(name) || AGGREGATE.has(name) || Object.hasOwn(WRITTEN, name);
  return (listed ? undefined : BY_LOWER_CASE.get(name.toLowerCase())) ?? name;
}

export const isAggregate = (name: string): boolean => AGGREGATE.has(name);
export const takesParameters = (name: string): boolean => name === 'quantile';

/** A call as SQL; null when the function is not on the list. `args` and the project's `zone` are SQL already. */
export function printCall(name: string, args: readonly string[], zone: string): string | null {
  if (Object.hasOwn(WRITTEN, name)) return WRITTEN[name]?.(args, zone) ?? null;
  return PLAIN.has(name) || AGGREGATE.has(name) ? `${name}(${args.join(', ')})` : null;
}

/** Casts, `x::int`, by the parser's name of the type. */
export const CASTS: Readonly<Record<string, string>> = {
  string: 'toString',
  text: 'toString',
  int: 'toInt',
  integer: 'toInt',
  bigint: 'toInt',
  int64: 'toInt',
  float: 'toFloat',
  double: 'toFloat',
  float64: 'toFloat',
  uuid: 'toUUID',
  date: 'toDate',
  datetime: 'toDateTime',
  timestamp: 'toDateTime',
};
