import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

const AWS_TIMEOUT_MS = 600_000;
const onAws = {
  globalSetup: ['test/support/embedded-aws.ts'],
  testTimeout: AWS_TIMEOUT_MS,
  hookTimeout: AWS_TIMEOUT_MS,
  // They wait for it most of the time.
  maxWorkers: 6,
  sequence: { groupOrder: 1 },
};
/** These look at, or change, what all on one embedded AWS share: each has one of its own. */
const ALONE = ['aws-errors', 'start'];
const fileOf = (name: string) => `test/pipeline/${name}.test.ts`;

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    reporters: [process.env['CI'] ? 'verbose' : 'default', 'test/support/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/{unit,infra,state-machines,cli}/**/*.test.ts'],
          setupFiles: ['test/support/tools.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...onAws,
          name: 'aws',
          include: ['test/{local,pipeline}/**/*.test.ts'],
          // They share one embedded AWS, each with stacks of its own.
          exclude: ALONE.map(fileOf),
        },
      },
      ...ALONE.map((name) => ({ test: { ...onAws, name, include: [fileOf(name)] } })),
    ],
  },
});
