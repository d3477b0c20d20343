import { expect, test } from 'vitest';
import { killingOwnIds, readingOwnIds } from './own-ids.ts';
import { bindParameters } from './sql-text.ts';

test('placeholders with a value get numbers, all else stays', () => {
  const bound = bindParameters(
    "SELECT {a:String}, {b : Int8}, {c:Int8}, '{a:String}', map('a', a)",
    new Map([
      ['a', "x'"],
      ['b', '1'],
    ]),
  );
  expect(bound.sql).toBe("SELECT {sluice_0:String}, {sluice_1 : Int8}, {c:Int8}, '{a:String}', map('a', a)");
  expect(bound.values).toEqual(["param_sluice_0 = 'x\\''", "param_sluice_1 = '1'"]);
});

test('system.processes is read with the callers’ ids, in code only', () => {
  expect(readingOwnIds("SELECT 'system.processes' FROM numbers(1)")).toBe(
    "SELECT 'system.processes' FROM numbers(1)",
  );
  expect(readingOwnIds('SELECT 1 FROM System.processes p')).toMatch(
    /^SELECT 1 FROM \(SELECT \* REPLACE .* p$/,
  );
});

test('KILL QUERY looks for the callers’ ids', () => {
  const own = killingOwnIds("KILL QUERY WHERE query_id = 'query_id SYNC' SYNC FORMAT Null");
  expect(own?.kill).toMatch(/^KILL QUERY WHERE unhex\(.*\) = 'query_id SYNC' ASYNC FORMAT Null$/);
  expect(own?.sync).toBe(true);
  expect(own?.victims).toMatch(/WHERE {2}unhex\(.*\) = 'query_id SYNC' $/);
  expect(killingOwnIds('KILL MUTATION WHERE 1')).toBeNull();
});
