import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { sdkCalls } from '../support/aws-calls.ts';

/** Calls that have pages, and that one page is enough for, with the reason. */
const ONE_PAGE: Readonly<Record<string, string>> = {
  'handlers/explain-build-failure.ts GetLogEvents':
    'it asks for the last lines of the log, and the newest page holds them',
  'handlers/clean-up.ts Query': 'it looks through the newest 100 records, as many as it asks for',
  'handlers/lib/alarms.ts DescribeAlarms':
    'it asks for at most 100 alarms by name, which is what a page holds',
  'handlers/lib/builds.ts ListBuildsForProject':
    'it looks for builds of a release that has just run among the newest 100',
  'handlers/lib/change-set.ts DescribeChangeSet': 'it reads the status alone, which each page tells',
  'handlers/lib/log-groups.ts DescribeLogGroups':
    'of those with a prefix, the one that is the prefix comes first',
  'handlers/lib/stack.ts DescribeStacks': 'it asks for one stack by name',
  'cli/doctor/account/pipeline.ts DescribeStacks': 'it asks for one stack by name',
  'cli/pipeline-client.ts DescribeStacks': 'it asks for one stack by name',
  'cli/acceptance/observed.ts DescribeStacks': 'it asks for one stack by name',
};

const require = createRequire(import.meta.url);
const clients = readdirSync(join(ROOT, 'node_modules', '@aws-sdk')).filter((name) =>
  name.startsWith('client-'),
);
/** Names of the calls for which the SDK has a paginator, in any of its clients. */
const paged = new Set(
  clients.flatMap((name) =>
    Object.keys(require(`@aws-sdk/${name}`) as object).flatMap(
      (key) => /^paginate(\w+)$/.exec(key)?.[1] ?? [],
    ),
  ),
);

/** `FILE CALL` of each call that is sent by itself though it has pages. */
const single = sdkCalls(['handlers', 'cli', 'local', 'core'])
  .filter(({ kind, call }) => kind === 'single' && paged.has(call))
  .map(({ file, call }) => `${file}.ts ${call}`);

describe('a call of AWS that answers page by page', () => {
  it('is known as one', () => {
    expect([...paged]).toEqual(
      expect.arrayContaining(['DescribeStackEvents', 'FilterLogEvents', 'DescribeAlarms']),
    );
  });

  it('is read to the last page, or has a reason why not', () => {
    expect(single.filter((one) => ONE_PAGE[one] === undefined)).toEqual([]);
  });

  it('has no reason left over', () => {
    expect(Object.keys(ONE_PAGE).filter((one) => !single.includes(one))).toEqual([]);
  });
});
