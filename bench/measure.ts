import { execFileSync } from 'node:child_process';
import type { Line } from './claim.ts';

/** Seconds of one turn. */
export type Contestant = () => Promise<void>;

export interface Pair {
  /** Seconds, one per turn. */
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

/**
 * Times both in turn, `turns` times after a warm-up of each; who goes first alternates, and each finds the same machine.
 * `clear` removes what both have written: an export makes new files.
 */
export async function inTurn(
  turns: number,
  ours: Contestant,
  theirs: Contestant,
  clear: () => void = () => {},
): Promise<Pair> {
  await ours();
  await theirs();
  const pair = { ours: [] as number[], theirs: [] as number[] };
  for (let turn = 0; turn < turns; turn++) {
    const order = turn % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const);
    for (const who of order) {
      clear();
      levelGround();
      pair[who].push(await seconds(who === 'ours' ? ours : theirs));
    }
  }
  return pair;
}

/**
 * What one contestant leaves behind is not the other's burden. ClickHouse returns with a gigabyte of lines that the disk
 * has still to take: it is synced. And a virtual machine may give memory back to its host that was free for two
 * seconds; touching it again costs 2.3 s of system time a gigabyte, which who truncates its own file never pays and who writes a
 * new one always does: memory is touched and freed.
 */
function levelGround(): void {
  execFileSync('sync');
  execFileSync(process.execPath, ['-e', TOUCH]);
}

const TOUCH = 'const gigabytes = [1, 2, 3].map(() => Buffer.alloc(2 ** 30, 1));';

export async function seconds(work: Contestant): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

/** `median (min–max)`, with the given digits. */
export function spread(values: readonly number[], digits = 2): string {
  const fixed = (value: number) => value.toFixed(digits);
  return `${fixed(median(values))} (${fixed(Math.min(...values))}–${fixed(Math.max(...values))})`;
}

/** How often the other takes longer: the median of the turns' ratios, so that a drifting machine cancels out. */
export function ratio({ ours, theirs }: Pair): number {
  return median(ours.map((own, i) => (theirs[i] ?? Number.NaN) / own));
}

/** A pair that moved `rows` rows a turn, as rows per second. */
export function speedLine(what: string, pair: Pair, rows: number, atLeast: number): Line {
  const speed = (seconds: readonly number[]) => `${spread(seconds.map((s) => rows / s / 1e6))} M rows/s`;
  return {
    what,
    ours: speed(pair.ours),
    theirs: speed(pair.theirs),
    value: ratio(pair),
    bar: { atLeast },
  };
}

/** The value below which the share `q` (0–1) of all values lies. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}
