import { expect, it, vi } from 'vitest';
import { expectedBytes } from './expected-bytes.ts';
import type { RunContext } from './ports.ts';

const contextWith = (maxFileSizeMb: number | null) => ({ files: { maxFileSizeMb } }) as RunContext;

it('many rows are looked at before a file of theirs is begun', async () => {
  const sample = vi.fn(async () => 50_000);
  expect(await expectedBytes(contextWith(null), 10_000_000, sample)).toBe(500_000_000_000);
  expect(sample).toHaveBeenCalledTimes(1);
});

it('a size limit far above the data does not make it larger', async () => {
  const sample = vi.fn(async () => 500);
  expect(await expectedBytes(contextWith(1_000_000), 10, sample)).toBe(40_960);
  expect(await expectedBytes(contextWith(1_000_000), 10_000_000, sample)).toBe(5_000_000_000);
  expect(await expectedBytes(contextWith(100_000), 1_000_000_000, sample)).toBe(100_000 * 1024 * 1024);
});

it('few rows, and files with a size limit, are not', async () => {
  const sample = vi.fn(async () => 50_000);
  expect(await expectedBytes(contextWith(null), 1_000_000, sample)).toBe(4_096_000_000);
  expect(await expectedBytes(contextWith(64), 10_000_000, sample)).toBe(64 * 1024 * 1024);
  expect(sample).not.toHaveBeenCalled();
});
