import { objectMembers, skipSpace } from '../json-spans.ts';
import { isObject } from '../payload.ts';
import { BadRow, type SourceRow } from './row.ts';

const NEWLINE = 0x0a;

/** Lines of UTF-8 bytes, without their ends. Only a line feed ends a line: JSON may hold U+2028. */
export async function* lines(source: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer[] = [];
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      yield Buffer.concat([...rest, chunk.subarray(start, end)]).toString('utf8');
      rest = [];
      start = end + 1;
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
  }
  if (rest.length > 0) yield Buffer.concat(rest).toString('utf8');
}

/** A JSON object as a row; nested objects stay the text they are, so that no number is rounded. */
export function jsonRow(line: string): SourceRow {
  const value = parse(line);
  if (!isObject(value)) throw new BadRow('it is not a JSON object');
  const row: Record<string, unknown> = { ...value };
  for (const { key, start, end } of objectMembers(line, skipSpace(line, 0))) {
    if (isObject(value[key])) row[key] = line.slice(start, end);
    else if (key === 'distinct_id' && typeof value[key] === 'number') row[key] = line.slice(start, end);
  }
  return row;
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new BadRow('it is not valid JSON');
  }
}
