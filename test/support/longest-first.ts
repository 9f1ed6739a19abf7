import { basename } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Minutes each; begun last, one of these alone would be what everybody waits for. */
const LONGEST = [
  'random-walk',
  'failures',
  'aws-errors',
  'killer',
  'alias',
  'lock',
  'interrupt',
  'newest',
].map((name) => `${name}.test.ts`);

/** Begins with the files that take longest, whichever project they are of, so that the run ends with short ones. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.indexOf(basename(moduleId));
      return at === -1 ? LONGEST.length : at;
    };
    const group = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    // Stable: within a rank, the order is the one of vitest.
    return sorted.sort((a, b) => group(a) - group(b) || rank(a) - rank(b));
  }
}
