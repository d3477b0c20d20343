import type { Stage } from './stage.ts';

/** What a benchmark proves, and how it is shown. */
export interface Claim {
  readonly name: string;
  /** In a sentence: ours ÷ whose, doing what. */
  readonly title: string;
  run(options: BenchOptions, stage: () => Promise<Stage>): Promise<readonly Line[]>;
}

export interface BenchOptions {
  readonly rows: number;
  readonly turns: number;
}

export interface Line {
  readonly what: string;
  readonly ours: string;
  readonly theirs: string;
  /** What the claim is about, and the least (or most) it should be. */
  readonly value: number;
  readonly bar: { readonly atLeast: number } | { readonly atMost: number };
}
