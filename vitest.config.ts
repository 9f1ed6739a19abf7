import { defineConfig } from 'vitest/config';

const AWS_TIMEOUT_MS = 300_000;

export default defineConfig({
  test: {
    reporters: [process.env['CI'] ? 'verbose' : 'default', 'test/support/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{unit,infra,state-machines,cli}/**/*.test.ts'],
          setupFiles: ['test/support/tools.ts'],
          testTimeout: 120_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'aws',
          include: ['test/{local,pipeline}/**/*.test.ts'],
          globalSetup: ['test/support/embedded-aws.ts'],
          testTimeout: AWS_TIMEOUT_MS,
          hookTimeout: AWS_TIMEOUT_MS,
          // Two cores, and one embedded AWS for all.
          fileParallelism: false,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
