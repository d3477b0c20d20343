import type { Temporal } from 'temporal-polyfill';
import { type Static, Type } from 'typebox';
import { SluiceError } from '../errors/error.ts';
import { firstStored, parseDateTime } from '../http/dates.ts';
import { formatTimestamp } from '../http/timestamps.ts';
import { readLog } from './logs.ts';
import type { Db } from './ports.ts';

/** contract.md §6; `after`, `before` are exclusive. */
export const logQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, default: 50 })),
  offset: Type.Optional(Type.Integer({ default: 0, 'x-lenient': true })),
  after: Type.Optional(Type.String({ description: 'Lines later than this moment.' })),
  before: Type.Optional(Type.String({ description: 'Lines earlier than this moment.' })),
  level: Type.Optional(Type.Array(Type.String(), { description: 'Levels, also as `INFO,ERROR`.' })),
  search: Type.Optional(Type.String({ description: 'Text in the message, in any case.' })),
  instance_id: Type.Optional(Type.String({ description: 'The run that wrote the line.' })),
});

/** One page of lines; `count` is of the rows fetched (at most `limit`), as upstream's is. */
export async function exportLogPage(
  ports: { readonly db: Db },
  of: { readonly teamId: number; readonly exportId: string; readonly runId?: string },
  query: Static<typeof logQuery>,
  url: URL,
) {
  const limit = query.limit ?? 50;
  const after = readMoment('after', query.after);
  const before = readMoment('before', query.before);
  const rows = await readLog(ports.db, {
    ...of,
    runId: of.runId ?? (query.instance_id || undefined),
    // Lines have whole milliseconds; a bound within one leaves out none.
    after: after && new Date(after.epochMilliseconds),
    before: before && firstStored(before),
    levels: (query.level ?? []).flatMap((part) => part.split(',')).flatMap(readLevel),
    search: query.search,
    limit,
  });
  const offset = Math.max(0, query.offset ?? 0);
  const results = rows.slice(offset, offset + limit).map((row) => ({
    ...row,
    timestamp: formatTimestamp(row.timestamp),
    level: row.level.toUpperCase(),
  }));
  return {
    count: rows.length,
    next: null,
    previous: offset > 0 ? previousPage(url, limit, offset) : null,
    results,
  };
}

/** Both names of one level. */
function readLevel(text: string): string[] {
  const level = text.trim().toUpperCase();
  if (level === '') return [];
  return level === 'WARN' || level === 'WARNING' ? ['WARN', 'WARNING'] : [level];
}

function readMoment(attr: string, text: string | undefined): Temporal.Instant | undefined {
  if (!text) return undefined;
  const instant = parseDateTime(text, 'UTC');
  if (instant) return instant;
  throw new SluiceError('invalid_input', { attr, detail: 'Not a date and time.' });
}

function previousPage(url: URL, limit: number, offset: number): string {
  const linked = new URL(url);
  if (offset <= limit) linked.searchParams.delete('offset');
  else linked.searchParams.set('offset', String(offset - limit));
  return linked.href;
}
