import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MultipleStatements, readStatement } from './statement.ts';

const answers: readonly [string, string, string][] = [
  ['SELECT 1', 'SELECT 1', ''],
  ['SELECT 1 FORMAT JSON', 'SELECT 1 ', 'FORMAT JSON'],
  ['select 1 format JSON settings max_threads = 1;', 'select 1 ', 'format JSON settings max_threads = 1'],
  ['SELECT 1 SETTINGS a = 1 FORMAT TSV ; ', 'SELECT 1 ', 'SETTINGS a = 1 FORMAT TSV '],
  ['SELECT 1 SETTINGS a=1 UNION ALL SELECT 2', 'SELECT 1 SETTINGS a=1 UNION ALL SELECT 2', ''],
  ["SELECT ' FORMAT JSON'", "SELECT ' FORMAT JSON'", ''],
  ["SELECT 'it''s', 'a\\' FORMAT x' -- FORMAT y", "SELECT 'it''s', 'a\\' FORMAT x' -- FORMAT y", ''],
  ['SELECT format FROM t', 'SELECT format FROM t', ''],
  [
    'SELECT 1 FROM system.settings WHERE a SETTINGS a=1',
    'SELECT 1 FROM system.settings WHERE a ',
    'SETTINGS a=1',
  ],
  ['SELECT 1. SETTINGS a=1', 'SELECT 1. ', 'SETTINGS a=1'],
  ['SELECT (SELECT 1 SETTINGS a = 1) AS x', 'SELECT (SELECT 1 SETTINGS a = 1) AS x', ''],
  ['(SELECT 1) UNION ALL (SELECT 2) SETTINGS a=1', '(SELECT 1) UNION ALL (SELECT 2) ', 'SETTINGS a=1'],
  ['/* a; b */ SHOW TABLES # c; d', '/* a; b */ SHOW TABLES # c; d', ''],
  ['SELECT $$ ; FORMAT x $$, `FORMAT x`', 'SELECT $$ ; FORMAT x $$, `FORMAT x`', ''],
];

test.each(answers)('%s', (sql, head, tail) => {
  expect(readStatement(sql)).toMatchObject({ kind: 'answer', head, tail });
});

const inserts: readonly [string, string, string, string][] = [
  ['INSERT INTO t FORMAT TSV\na\tb', 'INSERT INTO t ', 'FORMAT TSV', 'a\tb'],
  ['INSERT INTO t FORMAT JSONEachRow {"a":1}', 'INSERT INTO t ', 'FORMAT JSONEachRow', '{"a":1}'],
  [
    'insert into t (a, format) settings x=1 format TSV\r\n;',
    'insert into t (a, format) ',
    'settings x=1 format TSV',
    ';',
  ],
  ["INSERT INTO t VALUES (1,';')", 'INSERT INTO t ', 'FORMAT Values', " (1,';')"],
  ['INSERT INTO t SETTINGS x=1 VALUES(1)', 'INSERT INTO t ', 'SETTINGS x=1 FORMAT Values', '(1)'],
];

test.each(inserts)('%s', (sql, head, tail, data) => {
  const statement = readStatement(sql);
  expect(statement).toMatchObject({ kind: 'insert', head, tail });
  expect(statement.kind === 'insert' && sql.slice(statement.dataAt)).toBe(data);
});

test.each([
  'CREATE TABLE t (a Int8) ENGINE = Memory',
  'INSERT INTO t SELECT 1 SETTINGS max_threads = 1',
  'WITH 1 AS x INSERT INTO t SELECT x',
  'KILL QUERY WHERE 1',
  '',
])('command: %s', (sql) => {
  expect(readStatement(sql)).toEqual({ kind: 'command', sql });
});

test('refuses a second statement, not a closing semicolon', () => {
  expect(() => readStatement('SELECT 1; SELECT 2')).toThrow(MultipleStatements);
  expect(() => readStatement('DROP TABLE a; DROP TABLE b')).toThrow(MultipleStatements);
  expect(readStatement('DROP TABLE a;;')).toEqual({ kind: 'command', sql: 'DROP TABLE a' });
});

test('whatever a literal, a name or a comment holds, it hides nothing and is no SQL', () => {
  const piece = fc.constantFrom(
    "'",
    '"',
    '`',
    '\\',
    '--',
    '/*',
    '$$',
    '(',
    ')',
    ';',
    '\n',
    ' FORMAT x',
    ' SETTINGS ',
    '#',
  );
  const hostile = fc.array(piece).map((parts) => parts.join(''));
  fc.assert(
    fc.property(hostile, fc.constantFrom("'", '"', '`'), (text, mark) => {
      const literal = mark + text.replaceAll('\\', '\\\\').replaceAll(mark, mark + mark) + mark;
      const comment = `/*${text.replaceAll('*/', '')}*/`;
      const head = `SELECT ${literal} ${comment} FROM (SELECT 1) `;
      expect(readStatement(`${head}FORMAT JSON;`)).toMatchObject({
        kind: 'answer',
        head,
        tail: 'FORMAT JSON',
      });
    }),
    { seed: 11, numRuns: 500 },
  );
});
