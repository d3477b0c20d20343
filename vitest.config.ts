import { defineConfig } from 'vitest/config';
import { SlowestFirst } from './test/kit/slowest-first.ts';

/**
 * Fast tests sit beside their file under src/; tests that cross rooms and start real engines are under test/. Files follow one another
 * in the worker processes: a process for each file loads the same modules again, a tenth of the suite's processor time. Three workers on
 * two cores: the engines use every core there is, but tests of crashes and time-outs mostly wait.
 */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    isolate: false,
    pool: 'forks',
    maxWorkers: 3,
    sequence: { sequencer: SlowestFirst },
    // As for the servers of test/kit/sluice.ts: the embedded database lives too shortly to be optimized.
    execArgv: ['--liftoff-only'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
