import { defineConfig } from 'vitest/config';

export default defineConfig({
  define: { TSBUILD_VERSION: JSON.stringify('0.0.0-test') },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // One less is the default. But e2e tests wait for processes most of the time.
    maxWorkers: '100%',
  },
});
