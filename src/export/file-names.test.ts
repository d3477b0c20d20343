import { describe, expect, it } from 'vitest';
import { extension, fileNames, keyBelow } from './file-names.ts';
import type { FileOptions } from './spec.ts';

const FILES: FileOptions = {
  format: 'JSONLines',
  compression: null,
  prefix: '',
  maxFileSizeMb: null,
  legacyParquetExtension: false,
};
const DAY = {
  interval: { start: Date.UTC(2025, 0, 7), end: Date.UTC(2025, 0, 8) },
  model: 'events',
} as const;
const NAME = '2025-01-07T00:00:00+00:00-2025-01-08T00:00:00+00:00';

const names = (prefix: string, spec: Partial<Parameters<typeof fileNames>[0]> = {}) =>
  fileNames({ ...DAY, ...spec }, { ...FILES, prefix });

describe('keys (engine.md §3)', () => {
  it('are the interval, numbered when there may be several', () => {
    expect(names('').key(null)).toBe(`${NAME}.jsonl`);
    expect(names('').key(0)).toBe(`${NAME}-0.jsonl`);
    expect(names('exports').key(12)).toBe(`exports/${NAME}-12.jsonl`);
    expect(names('exports').manifest).toBe(`exports/${NAME}_manifest.json`);
  });

  it('are told from those of other runs, whatever their number', () => {
    const prefix = '{table}/a';
    const { owns, key, manifest } = fileNames(DAY, { ...FILES, prefix, maxFileSizeMb: 5 });
    expect([key(0), key(9_999)].map(owns)).toEqual([true, true]);
    const others = [
      key(null),
      manifest,
      `x${key(1)}`,
      key('1-2'),
      key('x'),
      `${key(1)}.zst`,
      names('b').key(1),
    ];
    expect(others.map(owns)).toEqual(others.map(() => false));
    expect(owns(names(prefix, { keySuffix: 'backfill' }).key(1))).toBe(false);
    // Another export's, of the same place and interval.
    expect(names(prefix).owns(key(1))).toBe(false);
  });

  it('begin without a slash and have one after the prefix', () => {
    expect(names('/a/').key(null)).toBe(`a/${NAME}.jsonl`);
    expect(names('/').key(null)).toBe(`${NAME}.jsonl`);
    expect(names('/a').manifest).toBe(`a/${NAME}_manifest.json`);
  });

  it('say None for a start that is unbounded, START in the prefix', () => {
    const unbounded = names('{data_interval_start}/{data_interval_end}', {
      interval: { start: null, end: DAY.interval.end },
    });
    const end = '2025-01-08T00:00:00+00:00';
    expect(unbounded.key(null)).toBe(`START/${end}/None-${end}.jsonl`);
  });

  it('show a fraction of a second only when there is one', () => {
    const end = DAY.interval.end + 5;
    expect(names('', { interval: { start: DAY.interval.start, end } }).key(null)).toContain(
      '2025-01-08T00:00:00.005000+00:00',
    );
  });

  it('keep outputs of the same interval apart', () => {
    expect(names('p', { keySuffix: 'backfill-1a2b' }).key(3)).toBe(`p/${NAME}_backfill-1a2b-3.jsonl`);
    expect(names('p', { keySuffix: 'backfill-1a2b' }).manifest).toBe(`p/${NAME}_backfill-1a2b_manifest.json`);
  });
});

describe('prefix variables', () => {
  it('are parts of the end of the interval', () => {
    const spec = { interval: { start: 0, end: Date.UTC(2025, 2, 4, 5, 6, 7) } };
    const { key, warning } = names('{table}/{year}/{month}/{day}/{hour}{minute}{second}', spec);
    expect(key(null)).toMatch(/^events\/2025\/03\/04\/050607\//);
    expect(warning).toBeNull();
  });

  it('leave the whole prefix alone when one is unknown, and warn', () => {
    for (const prefix of ['{year}/{nope}', '{year', 'a}', '{}', '{constructor}']) {
      const { key, warning } = names(prefix);
      expect(key(null)).toBe(`${prefix}/${NAME}.jsonl`);
      expect(warning).toContain('known variables are {year}');
    }
  });

  it('can be escaped', () => {
    expect(names('{{year}}').key(null)).toBe(`{year}/${NAME}.jsonl`);
  });
});

it.each([
  ['JSONLines', null, false, '.jsonl'],
  ['JSONLines', 'gzip', false, '.jsonl.gz'],
  ['JSONLines', 'brotli', true, '.jsonl.br'],
  ['JSONLines', 'zstd', false, '.jsonl.zst'],
  ['Parquet', null, true, '.parquet'],
  ['Parquet', 'zstd', false, '.parquet'],
  ['Parquet', 'zstd', true, '.parquet.zst'],
  ['Parquet', 'lz4', true, '.parquet.lz4'],
  ['Parquet', 'snappy', true, '.parquet.sz'],
  ['Parquet', 'gzip', true, '.parquet.gz'],
  ['Parquet', 'brotli', true, '.parquet.br'],
] as const)('%s %s (legacy %s) ends in %s', (format, compression, legacyParquetExtension, expected) => {
  expect(extension({ format, compression, legacyParquetExtension })).toBe(expected);
});

describe('a file of another name', () => {
  it.each(['', 'ph/events', '/ph/events', 'ph/events/', '//ph'])(
    'lies where the files of runs do, below %j',
    (prefix) => {
      const key = names(prefix).manifest;
      expect(keyBelow(prefix, 'x').slice(0, -1)).toBe(key.slice(0, key.lastIndexOf('/') + 1));
    },
  );

  it('lies above the first variable', () => {
    expect(keyBelow('/ph/{year}/x', 'x')).toBe('ph/x');
    expect(keyBelow('ph{year}', 'x')).toBe('x');
  });
});
