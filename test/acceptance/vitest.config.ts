import { defineConfig } from 'vitest/config';

/** A whole acceptance takes minutes: npm run test:acceptance. Its parts are in npm test. */
export default defineConfig({
  test: {
    name: 'acceptance',
    include: ['test/acceptance/*.test.ts'],
    reporters: ['verbose'],
    testTimeout: 1_800_000,
    maxWorkers: 1,
  },
});
