import { CloudWatchLogsClient, DescribeLogGroupsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { ListFunctionsCommand } from '@aws-sdk/client-lambda';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_PIPELINE, temporaryPrefix } from '../../core/release/pipeline-name.ts';
import { temporaryName } from '../../core/release/probe.ts';
import { get, lambda, publishedBy, records, release, stateOf, statesOf } from '../support/aws.ts';
import { callWithoutPause } from '../support/client.ts';
import { changed, projectZip } from '../support/project.ts';

const STACK = 'twinned';

/** What is left of the temporary functions of the stack's releases: names of functions and log groups. */
async function temporary(): Promise<string[]> {
  const ids = (await records(STACK)).map(({ sk = '' }) => sk.replace('release#', ''));
  const names = ids.flatMap((id) =>
    (['probe', 'twin'] as const).map((kind) =>
      temporaryName(temporaryPrefix(DEFAULT_PIPELINE, kind), { id }, 'Hello'),
    ),
  );
  const { Functions = [] } = await lambda.send(new ListFunctionsCommand({}));
  const { logGroups = [] } = await new CloudWatchLogsClient().send(
    new DescribeLogGroupsCommand({ logGroupNamePrefix: '/aws/lambda/Plimsoll-' }),
  );
  const there = [...Functions.map((one) => one.FunctionName), ...logGroups.map((one) => one.logGroupName)];
  return there.flatMap((name) => (names.some((one) => name?.endsWith(one)) ? [name ?? ''] : []));
}

describe('a function without an alias', () => {
  beforeAll(async () => {
    const end = await release(STACK, await projectZip());
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  it('is proven by a temporary twin: a client that never pauses sees no answer of code that fails', async () => {
    const before = await stateOf(STACK);
    const calls = callWithoutPause(STACK);
    const end = await release(
      STACK,
      await projectZip({
        ...changed('functions/hello/app.py', '"statusCode": 200', '"statusCode": 500'),
      }),
    );
    const seen = await calls.stop();
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/smoke event you of Hello, on a temporary twin/);
    expect(Object.keys(seen)).toEqual(['200 1']);
    expect(await stateOf(STACK)).toEqual(before);
    expect(await statesOf(end.arn)).not.toContain('CreateChangeSet');
    expect(await temporary()).toEqual([]);
  });

  it('changes once its twin has answered well, and nothing temporary is left', async () => {
    const calls = callWithoutPause(STACK);
    const end = await release(
      STACK,
      await projectZip(changed('functions/hello/app.py', '"version": 1', '"version": 2')),
    );
    const seen = await calls.stop();
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(end.output['unproven']).toEqual([]);
    expect(Object.keys(seen).sort()).toEqual(['200 1', '200 2']);
    expect(await temporary()).toEqual([]);
  });

  it('whose rights the release changes is proven once it is deployed', async () => {
    const end = await release(
      STACK,
      await projectZip({
        ...changed(
          'template.yaml',
          '      Timeout: 10\n',
          '      Timeout: 10\n      Policies: [AmazonDynamoDBReadOnlyAccess]\n',
        ),
      }),
    );
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(end.output['unproven']).toEqual(['Hello: the release changes its Policies']);
    expect(await publishedBy(end.arn)).toMatch(
      /live.*\n\n.*without a proof.*\nHello: the release changes its Policies$/s,
    );
    expect(await get(STACK, '/hello')).toMatchObject({ status: 200, body: { version: 1 } });
  });
});
