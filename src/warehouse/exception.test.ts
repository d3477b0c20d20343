import fc from 'fast-check';
import { expect, test } from 'vitest';
import { classify, exceptionError, findException, TAIL_BYTES } from './exception.ts';

test.each([
  [241, 'warehouse_memory', 'retry'],
  [202, 'warehouse_overloaded', 'retry'],
  [210, 'warehouse_unavailable', 'retry'],
  [516, 'warehouse_denied', 'user'],
  [394, 'warehouse_cancelled', 'retry'],
  [47, 'warehouse_query', 'bug'],
  [123_456, 'warehouse_query', 'bug'],
])('code %i is %s: %s', (number, code, kind) => {
  expect(classify(number)).toBe(code);
  expect(exceptionError(number, 'x').kind).toBe(kind);
});

test('the code decides, whatever the text says', () => {
  const error = exceptionError(47, 'Code: 241. DB::Exception: MEMORY_LIMIT_EXCEEDED');
  expect(error.code).toBe('warehouse_query');
});

const TAG = 'a1b2c3d4e5f60718';
const TEXT = 'Code: 241. DB::Exception: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)';
const marked = `\r\n__exception__\r\n${TAG}\r\n${TEXT}\n${TEXT.length + 1} ${TAG}\r\n__exception__\r\n`;
const bare = `Code: 159. DB::Exception: Timeout exceeded. (TIMEOUT_EXCEEDED) (version 24.8.1.1 (official build))\n`;

test('finds the exception between marks, and takes off what frames it', () => {
  const error = findException(Buffer.from(`{"a":1}\n${marked}`), TAG);
  expect(error?.code).toBe('warehouse_memory');
  expect(error?.message).toBe('ClickHouse, code 241: Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)');
});

test('finds the bare exception of older servers at the very end only', () => {
  expect(findException(Buffer.from(`{"a":1}\n${bare}`), undefined)?.code).toBe('warehouse_overloaded');
  expect(findException(Buffer.from(`${bare}{"a":1}\n`), undefined)).toBeNull();
});

test('behind any data that fits the tail, compressed or not', () => {
  const before = fc.uint8Array({ maxLength: TAIL_BYTES - 2_000 }).map((bytes) => Buffer.from(bytes));
  fc.assert(
    fc.property(before, (data) => {
      expect(findException(Buffer.concat([data, Buffer.from(marked)]), TAG)?.code).toBe('warehouse_memory');
      expect(findException(Buffer.concat([data, Buffer.from(bare)]), undefined)?.code).toBe(
        'warehouse_overloaded',
      );
    }),
    { seed: 7, numRuns: 50 },
  );
});

test('events that speak of exceptions are events', () => {
  const line = `${JSON.stringify({ properties: { message: `${bare.trim()} ${marked}` } })}\n`;
  expect(findException(Buffer.from(line), TAG)).toBeNull();
  expect(findException(Buffer.from(line), undefined)).toBeNull();
});
