import { defineConfig } from 'vitest/config';

/** Every project is released: minutes. npm run test:projects; npm test builds those that take seconds. */
export default defineConfig({
  test: {
    name: 'projects',
    include: ['test/projects/*.test.ts'],
    setupFiles: ['test/support/tools.ts'],
    reporters: ['verbose', 'test/support/closing-line.ts'],
    testTimeout: 600_000,
    hookTimeout: 600_000,
    maxWorkers: 1,
  },
});
