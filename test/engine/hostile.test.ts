import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataFiles, query, readEvents } from '../kit/duckdb.ts';
import { startTestWarehouse, type TestWarehouse } from '../kit/warehouse.ts';
import {
  type EventRow,
  eventRow,
  exportWith,
  insertEvents,
  liveSpec,
  openPlace,
  PLAIN_FILES,
} from './fixture.ts';

let embedded: TestWarehouse;
let team = 0;
beforeAll(async () => {
  embedded = await startTestWarehouse();
});
afterAll(() => embedded.close());

interface Line {
  readonly text: string;
  readonly value: { properties: unknown; event: string; distinct_id: string; elements_chain: string };
}

/** Exports rows whose properties are given and returns the lines in their order, after DuckDB has read all of them. */
async function exportLines(
  changes: readonly Partial<EventRow>[],
): Promise<{ lines: Line[]; cleaned: number }> {
  const place = await openPlace();
  try {
    const rows = changes.map((change, n) => eventRow(n, { person_properties: '', ...change }));
    await insertEvents(embedded.warehouse, ++team, rows);
    const outcome = await exportWith(embedded.warehouse, place, liveSpec(team), PLAIN_FILES);
    const [path] = dataFiles(place.root);
    const texts = readFileSync(path as string, 'utf8').split('\n');
    expect(texts.pop()).toBe('');
    expect(texts).toHaveLength(rows.length);
    expect(await readEvents(place.root)).toHaveLength(rows.length);
    const parsed = texts.map((text) => ({
      text,
      value: JSON.parse(text) as Line['value'] & { uuid: string },
    }));
    const byUuid = new Map(parsed.map((line) => [line.value.uuid, line]));
    return { lines: rows.map((row) => byUuid.get(row.uuid) as Line), cleaned: outcome.cleaned };
  } finally {
    place.remove();
  }
}

const deep = (levels: number) => `${'[['.repeat(levels / 2)}${']]'.repeat(levels / 2)}`;

/** Valid JSON that careless writers break. `JSON.parse` of what is exported equals `JSON.parse` of these. */
const VALID = [
  '{}',
  '{"a":1}',
  ' { "a" :\n[ 1 ,\r\n\t2 ] } ',
  '{"a":"line\\nbreak\\ttab\\u0000nul\\u001f"}',
  '{"a":"\\ud83d\\ude00 😀 \\u2028\u2028"}',
  '{"quote":"\\"","slash":"\\/","backslash":"\\\\","both":"\\\\\\"}"}',
  '{"big":12345678901234567890,"bigger":-98765432109876543210987654321,"fraction":0.1e-7}',
  '{"edge":18446744073709551615,"over":18446744073709551616,"zero":-0,"e":1E5}',
  '{"beyond":[1e400,-1e400,1e-400]}',
  '{"many\\u0000":1,"":2}',
  '{"a":1,"a":2}',
  '[1,"two",null,true]',
  '"text"',
  'null',
  '17',
  deep(300),
  deep(1000),
  JSON.stringify({ long: 'x'.repeat(300_000) }),
  '{"big":18446744073709551616,"nested":{"a":["\\"", "\\\\", "}"]},\n "tab":\t"\\t"}',
];

/** Not JSON, or JSON no reader takes: what becomes of each. */
const MENDED: readonly [string | Buffer, unknown][] = [
  ['not json', 'not json'],
  ['{"a":1', '{"a":1'],
  ['{"a":1}}', '{"a":1}}'],
  ["{'a':1}", "{'a':1}"],
  ['{"a":01}', '{"a":01}'],
  ['{"a":--1}', '{"a":--1}'],
  ['{"a":1.}', '{"a":1.}'],
  ['{"a":"\\x"}', '{"a":"\\x"}'],
  ['{"a":"\\u12"}', '{"a":"\\u12"}'],
  ['"', '"'],
  ['\\', '\\'],
  ['\n', '\n'],
  ['{"a":NaN,"b":-Infinity,"c":"NaN"}', { a: null, b: null, c: 'NaN' }],
  ['{"a":"\\ud800"}', { a: '\ufffd' }],
  ['{"a":"\\udc00\\ud800x\\ud83d\\ude00"}', { a: '\ufffd\ufffdx😀' }],
  ['{"a":"\\\\ud800","b":"\\ud800"}', { a: '\\ud800', b: '\ufffd' }],
  ['{"a":"raw\nline\tand\u0000nul"}', { a: 'raw\nline\tand\u0000nul' }],
  [Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xff, 0x22, 0x7d]), { a: '\ufffd' }],
  [Buffer.from([0xff, 0xfe]), '\ufffd'],
  [deep(1200), deep(1200)],
];

describe('properties in JSON Lines', () => {
  it.each(VALID.map((text) => [text.slice(0, 60), text]))('keeps %s', async (_, text) => {
    const { lines, cleaned } = await exportLines([{ properties: text }]);
    expect(lines[0]?.value.properties).toEqual(JSON.parse(text));
    expect(cleaned).toBe(0);
  });

  it('keeps the digits of numbers that no double holds', async () => {
    const { lines } = await exportLines([{ properties: '{"n":12345678901234567890123}' }]);
    expect(lines[0]?.text).toContain('"n":12345678901234567890123');
  });

  it('mends what is not JSON, loses no row and says how many', async () => {
    const { lines, cleaned } = await exportLines(MENDED.map(([properties]) => ({ properties })));
    const exported = lines.map((line) => line.value.properties);
    expect(exported).toEqual(MENDED.map(([, value]) => value));
    expect(cleaned).toBe(MENDED.length);
  });

  it('has a line that every reader takes for any text', async () => {
    const fragments = [
      '"',
      '\\',
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      'NaN',
      '1e400',
      '\n',
      '\u0000',
      '\\u',
      'd800',
      '\\ud83d',
    ];
    const soup = fc
      .array(fc.oneof(fc.constantFrom(...fragments), fc.string({ unit: 'binary', maxLength: 4 })), {
        maxLength: 12,
      })
      .map((parts) => parts.join(''));
    const bytes = fc.uint8Array({ maxLength: 12 }).map((part) => Buffer.from(part));
    const rows = fc.sample(
      fc.record({ properties: fc.oneof(soup, bytes), distinct_id: fc.string(), event: soup }),
      {
        seed: 20260301,
        numRuns: 2000,
      },
    );
    const { lines } = await exportLines(rows);
    for (const [n, row] of rows.entries()) {
      const line = lines[n] as Line;
      expect(line.value.distinct_id).toBe(wellFormed(row.distinct_id));
      expect(line.value.event).toBe(wellFormed(row.event));
    }
  });

  it('gives back exactly every JSON value', async () => {
    const values = fc.sample(fc.json({ maxDepth: 6, stringUnit: 'binary' }), {
      seed: 7,
      numRuns: 2000,
    });
    const { lines, cleaned } = await exportLines(values.map((properties) => ({ properties })));
    expect(lines.map((line) => line.value.properties)).toEqual(values.map((text) => JSON.parse(text)));
    expect(cleaned).toBe(0);
  });
});

it('Parquet text is readable whatever the bytes', async () => {
  const place = await openPlace();
  try {
    const bad = Buffer.from([0x61, 0xff, 0x62, 0x00]);
    await insertEvents(embedded.warehouse, ++team, [eventRow(1, { properties: bad })]);
    const files = { ...PLAIN_FILES, format: 'Parquet' } as const;
    await exportWith(embedded.warehouse, place, liveSpec(team), files);
    const [row] = await query<{ properties: string }>(`SELECT properties FROM '${dataFiles(place.root)[0]}'`);
    expect(row?.properties).toBe('a\ufffdb\u0000');
  } finally {
    place.remove();
  }
});

/** As UTF-8 stores it: lone surrogates are not characters. */
const wellFormed = (text: string) => Buffer.from(text).toString();
