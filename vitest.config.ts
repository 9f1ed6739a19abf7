import { defineConfig } from 'vitest/config';

const AWS_TIMEOUT_MS = 600_000;
const onAws = {
  globalSetup: ['test/support/embedded-aws.ts'],
  testTimeout: AWS_TIMEOUT_MS,
  hookTimeout: AWS_TIMEOUT_MS,
};
/** These look at, or change, what all on one embedded AWS share. */
const ALONE = ['test/pipeline/{aws-errors,start}.test.ts'];

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
          ...onAws,
          name: 'aws',
          include: ['test/{local,pipeline}/**/*.test.ts'],
          exclude: ALONE,
          // They share one embedded AWS, each with stacks of its own, and wait for it most of the time.
          maxWorkers: 5,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...onAws,
          name: 'aws-alone',
          include: ALONE,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
