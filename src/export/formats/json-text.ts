/**
 * SQL that turns any text into one JSON value on one line. Most rows hold valid JSON and are spliced in
 * verbatim (about four times as fast as parsing and printing; engine.md §9.2); everything below
 * `repaired` runs only for the few that `isValidJSON` refuses: lone surrogates, numbers beyond 64 bits or the range
 * of doubles, raw control characters, NaN, invalid UTF-8, and what is no JSON at all.
 */

/** A string constant of SQL. */
const text = (value: string): string => `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A string with its quotes; what lies between strings; a quote that opens none. */
const TOKENS = text(String.raw`(?s)"(?:[^"\\]|\\.)*"|[^"]+|"`);
/** Inside a string: a surrogate pair; any \u escape; any other escape; plain text; the quotes. */
const PIECES = text(
  String.raw`(?s)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^"\\]+|"`,
);
const LONE_SURROGATE = text(String.raw`^\\u[dD][89a-fA-F]..$`);
const BAD_ESCAPE = text(String.raw`(?s)^\\(?:[^"\\/bfnrtu]|u$)`);
const NUMBER = text(String.raw`-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?`);
const NOT_FINITE = text(String.raw`-?\b(?:NaN|Infinity)\b`);
const CONTROL = text(String.raw`[\x00-\x1f]`);

/** The byte order mark of UTF-8. */
const BOM = String.raw`'\xEF\xBB\xBF'`;

const isString = (token: string) => `length(${token}) > 1 AND startsWith(${token}, '"')`;
const pieces = (token: string) => `extractAll(${token}, ${PIECES})`;
const joined = (parts: string) => `arrayStringConcat(${parts}, '')`;

/** Lone surrogates become U+FFFD, raw control characters their escapes; the rest of the string stays. */
const repairedString = (token: string) =>
  joined(`arrayMap(p -> multiIf(
    match(p, ${LONE_SURROGATE}), ${text('\\ufffd')},
    startsWith(p, '"') OR startsWith(p, ${text('\\')}), p,
    substring(toJSONString(p), 2, length(toJSONString(p)) - 2)), ${pieces(token)})`);

const repairedRest = (token: string) =>
  `replaceRegexpAll(replaceRegexpAll(${token}, ${CONTROL}, ' '), ${NOT_FINITE}, 'null')`;

const tokensOf = (column: string) => `extractAll(toValidUTF8(${column}), ${TOKENS})`;

/** The text with everything mended that can be mended without changing its meaning for a reader. */
const repaired = (column: string) =>
  joined(
    `arrayMap(t -> if(${isString('t')}, ${repairedString('t')}, ${repairedRest('t')}), ${tokensOf(column)})`,
  );

/**
 * The same structure with every number and string replaced by a harmless one. Valid exactly when the repaired
 * text is JSON, however large its numbers: `null` never completes a malformed number to a valid one.
 */
const skeleton = (column: string) =>
  joined(`arrayMap(t -> if(${isString('t')},
    if(arrayExists(p -> match(p, ${BAD_ESCAPE}), ${pieces('t')}), 'bad', '""'),
    replaceRegexpAll(${repairedRest('t')}, ${NUMBER}, 'null')), ${tokensOf(column)})`);

/** Not JSON at all, or nested deeper than 1 024: the text as a JSON string, so that nothing is lost. */
const asString = (column: string) => `toJSONString(toValidUTF8(${column}))`;

const mended = (column: string) =>
  `if(isValidJSON(${skeleton(column)}), ${repaired(column)}, ${asString(column)})`;

/**
 * Valid and on one line already: goes out as it is. `bitAnd`, because `AND` is lazy, and what ClickHouse does lazily it
 * copies: with laziness confined to the rows that need work, a million lines take 0.8 s instead of 1.3 s.
 */
const plain = (column: string) => `bitAnd(bitAnd(isValidJSON(${column}), NOT startsWith(${column}, ${BOM})),
    bitAnd(position(${column}, '\\n') = 0, position(${column}, '\\r') = 0))`;

/** `isValidJSON` passes over the mark that some writers put first, and no reader of lines does. */
const withoutBom = (column: string) =>
  `if(startsWith(${column}, ${BOM}), substring(${column}, 4), ${column})`;

/** Raw line breaks in valid JSON are whitespace between values, never inside a string. */
const oneLine = (column: string) => `translate(${column}, '\\n\\r', '  ')`;

/** The column's JSON on one line; empty text is `null`. */
export function jsonText(column: string): string {
  const bare = withoutBom(column);
  const other = `multiIf(${bare} = '', 'null', isValidJSON(${bare}), ${oneLine(bare)}, ${mended(bare)})`;
  return `if(${plain(column)}, ${column}, ${other})`;
}

/** 1 when `jsonText` had to change the value to make it JSON; whitespace and a byte order mark do not count. */
export function jsonChanged(column: string): string {
  const bare = withoutBom(column);
  const spaced = `translate(${bare}, '\\n\\r\\t', '   ')`;
  const other = `multiIf(${bare} = '', 0, isValidJSON(${bare}), 0, ${mended(bare)} != ${spaced})`;
  return `if(${plain(column)}, 0, ${other})`;
}
