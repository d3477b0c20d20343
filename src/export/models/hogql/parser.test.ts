import { afterAll, describe, expect, it } from 'vitest';
import { createQueryParser } from './parser.ts';

const parser = createQueryParser();
afterAll(() => parser.close());

const refused = { code: 'invalid_input', attr: 'hogql_query' };
const nested = (count: number, open: string, close: string) =>
  `SELECT ${open.repeat(count)}1${close.repeat(count)} AS a FROM events`;
/** Minutes, warm or cold. */
const ENDLESS = nested(20, '(SELECT ', ')');

/** contract.md §4.3: what cannot be read is a 400, whatever it does to the parser. */
describe('the parser', () => {
  it.each([
    ['nothing', ''],
    ['no SELECT', 'DROP TABLE events'],
    ['two statements', 'SELECT event FROM events; SELECT event FROM events'],
    ['an open bracket', 'SELECT (((('],
    ['an open literal', "SELECT 'abc"],
    ['an open comment', 'SELECT /* abc'],
    ['NUL', 'SELECT \0 FROM events'],
    ['half a surrogate pair', 'SELECT \ud800 FROM events'],
    ['a megabyte', `SELECT ${'a'.repeat(1_000_000)} FROM events`],
    ['a megabyte of comment openers', '/*'.repeat(500_000)],
    ['50,000 characters of quotes', "\\'".repeat(24_990)],
    ['50,000 brackets', '('.repeat(50_000)],
    ['brackets too deep', nested(41, '[', ']')],
    ['the settings of ClickHouse', 'SELECT event FROM events SETTINGS readonly = 0'],
    ['a format', 'SELECT event FROM events FORMAT Null'],
    ['a file to write', "SELECT event FROM events INTO OUTFILE '/tmp/x'"],
  ])('refuses %s', async (_, text) => {
    await expect(parser.parse(text, 1)).rejects.toMatchObject(refused);
  });

  it.each([
    ['its stack', `SELECT ${'1+'.repeat(1000)}1 AS a FROM events`],
    ['its stack, by conditions', `SELECT event FROM events WHERE ${'(event = 1) AND '.repeat(1000)} 1`],
  ])('that ran over %s is replaced', async (_, text) => {
    await expect(parser.parse(text, 1)).rejects.toMatchObject(refused);
    expect(await parser.parse('SELECT event FROM events', 1)).toMatchObject({ node: 'SelectQuery' });
  });

  it('does not look at brackets in literals, names and comments', async () => {
    const text = `SELECT '${'('.repeat(50)}' AS "${'['.repeat(50)}" /* ${'{'.repeat(50)} */ -- ${'('.repeat(50)}`;
    expect(await parser.parse(text, 1)).toMatchObject({ node: 'SelectQuery' });
  });
});

describe('a parser with little time', () => {
  it('gives up on what would take minutes, lets few wait, and goes on', async () => {
    const short = createQueryParser({ longest: 1000, deepest: 40, time: 300, waiting: { all: 3, each: 2 } });
    const slow = expect(short.parse(ENDLESS, 1)).rejects.toMatchObject(refused);
    const next = expect(short.parse('SELECT (', 1)).rejects.toMatchObject(refused);
    await expect(short.parse('SELECT 1', 1)).rejects.toMatchObject({ code: 'throttled', retryAfter: 5 });
    const theirs = short.parse('SELECT event FROM events', 2);
    await slow;
    await next;
    expect(await theirs).toMatchObject({ node: 'SelectQuery' });
    expect(await short.parse('SELECT event FROM events', 1)).toMatchObject({ node: 'SelectQuery' });
    await short.close();
  });
});
