import { CloudFormationClient, ResourceStatus, type StackEvent } from '@aws-sdk/client-cloudformation';
import { describe, expect, it } from 'vitest';
import { failureReasons } from '../../../handlers/lib/stack.ts';

const event = (second: number, status: ResourceStatus, LogicalResourceId: string): StackEvent => ({
  StackId: 'stack',
  EventId: `${second}`,
  StackName: 'shop',
  Timestamp: new Date(second * 1000),
  ResourceStatus: status,
  ResourceType: 'AWS::Lambda::Function',
  LogicalResourceId,
  ResourceStatusReason: `${LogicalResourceId} broke`,
});

/** A client that answers one page after the other, as DescribeStackEvents does: newest first. */
function paged(pages: StackEvent[][]): { client: CloudFormationClient; asked: (string | undefined)[] } {
  const client = new CloudFormationClient({ region: 'us-east-1' });
  const asked: (string | undefined)[] = [];
  client.send = (async ({ input }: { input: { NextToken?: string } }) => {
    asked.push(input.NextToken);
    const index = Number(input.NextToken ?? 0);
    const more = index + 1 < pages.length ? { NextToken: `${index + 1}` } : {};
    return { StackEvents: pages[index], ...more };
  }) as unknown as CloudFormationClient['send'];
  return { client, asked };
}

describe('the reasons of a failed change', () => {
  const followers = Array.from({ length: 100 }, (_, index) =>
    event(200 - index, ResourceStatus.DELETE_COMPLETE, 'Other'),
  );

  it('are found behind the first page of events', async () => {
    const { client, asked } = paged([followers, [event(60, ResourceStatus.CREATE_FAILED, 'Worker')]]);
    expect(await failureReasons(client, 'shop', new Date(50_000))).toEqual([
      'Worker (AWS::Lambda::Function): Worker broke',
    ]);
    expect(asked).toEqual([undefined, '1']);
  });

  it('are not looked for in what is older than the change', async () => {
    const older = [event(40, ResourceStatus.CREATE_FAILED, 'Earlier')];
    const { client, asked } = paged([
      [...followers, ...older],
      [event(30, ResourceStatus.CREATE_FAILED, 'Earliest')],
    ]);
    expect(await failureReasons(client, 'shop', new Date(50_000))).toEqual([]);
    expect(asked).toEqual([undefined]);
  });
});
