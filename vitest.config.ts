import { defineConfig } from 'vitest/config';

/**
 * Fast tests sit beside their file under src/ and share the processes they run in; tests that cross rooms and start real
 * engines are under test/, each file in a process of its own. Three workers on two cores: the engines use every core
 * there is, but tests of crashes and time-outs mostly wait.
 */
export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'src', include: ['src/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'test', include: ['test/**/*.test.ts'] } },
    ],
    pool: 'forks',
    maxWorkers: 3,
    // As for the servers of test/kit/sluice.ts: the embedded database lives too shortly to be optimized.
    execArgv: ['--liftoff-only'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
