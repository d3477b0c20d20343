import { defineConfig } from 'vitest/config';

/**
 * Fast tests sit beside their file under src/; tests that cross rooms and start real engines are
 * under test/. Two workers, because the engines themselves use every core there is.
 */
export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
