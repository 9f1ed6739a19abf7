import {
  type CloudFormationClient,
  DescribeStacksCommand,
  paginateDescribeStackEvents,
  paginateListStackResources,
  type Stack,
  type StackEvent,
} from '@aws-sdk/client-cloudformation';
import { NESTED_STACK } from '../../core/project/nested.ts';
import type { StackNow } from '../../core/release/snapshot.ts';
import type { StackResource } from '../../core/release/stack-resources.ts';

/** One stack as CloudFormation describes it, or undefined where there is none. */
export async function describeStack(
  cloudformation: CloudFormationClient,
  stackName: string,
): Promise<Stack | undefined> {
  try {
    const { Stacks = [] } = await cloudformation.send(new DescribeStacksCommand({ StackName: stackName }));
    return Stacks[0];
  } catch (error) {
    // CloudFormation has no error of its own for this: "Stack with id X does not exist", a ValidationError.
    if (error instanceof Error && error.name === 'ValidationError' && /does not exist/.test(error.message))
      return undefined;
    throw error;
  }
}

export function stackNow(stack: Stack | undefined): StackNow | undefined {
  if (!stack) return undefined;
  const changed = stack.LastUpdatedTime ?? stack.CreationTime;
  return { status: stack.StackStatus ?? '', changedAt: changed?.toISOString() ?? '' };
}

/** Why CloudFormation failed: the first resources that did, which the later ones only follow; of a nested stack, why it did. */
export async function failureReasons(
  cloudformation: CloudFormationClient,
  stackName: string,
  since: Date,
): Promise<string[]> {
  const isCause = (event: StackEvent) =>
    event.ResourceStatus?.endsWith('_FAILED') && !/cancelled/i.test(event.ResourceStatusReason ?? '');
  const found: StackEvent[] = [];
  // Newest first: what is older than the change ends the walk.
  pages: for await (const { StackEvents = [] } of paginateDescribeStackEvents(
    { client: cloudformation },
    { StackName: stackName },
  )) {
    for (const event of StackEvents) {
      if ((event.Timestamp ?? since) < since) break pages;
      if (isCause(event)) found.push(event);
    }
  }
  const causes = found.reverse().slice(0, 3);
  const reasons: string[] = [];
  for (const {
    LogicalResourceId,
    ResourceType,
    ResourceStatusReason,
    PhysicalResourceId,
    StackId,
  } of causes) {
    const isNested = ResourceType === NESTED_STACK && PhysicalResourceId && PhysicalResourceId !== StackId;
    const inner = isNested ? await failureReasons(cloudformation, PhysicalResourceId, since) : [];
    if (inner.length > 0) reasons.push(...inner.map((reason) => `${LogicalResourceId}: ${reason}`));
    else reasons.push(`${LogicalResourceId} (${ResourceType}): ${ResourceStatusReason ?? 'no reason given'}`);
  }
  return reasons;
}

/** All resources of a stack that exist, those of nested stacks left out. */
export async function stackResources(
  cloudformation: CloudFormationClient,
  stackName: string,
): Promise<StackResource[]> {
  const result: StackResource[] = [];
  for await (const page of paginateListStackResources({ client: cloudformation }, { StackName: stackName })) {
    for (const {
      LogicalResourceId = '',
      PhysicalResourceId,
      ResourceType = '',
    } of page.StackResourceSummaries ?? []) {
      if (PhysicalResourceId)
        result.push({ logicalId: LogicalResourceId, physicalId: PhysicalResourceId, type: ResourceType });
    }
  }
  return result;
}

/** Those of nested stacks, too, at whatever depth, with logical ids as plans have them: `Data.Orders`. */
export async function allStackResources(
  cloudformation: CloudFormationClient,
  stackName: string,
): Promise<StackResource[]> {
  const own = await stackResources(cloudformation, stackName);
  const nested = own.filter(({ type }) => type === NESTED_STACK);
  const inner = await Promise.all(
    nested.map(async ({ logicalId, physicalId }) =>
      (await allStackResources(cloudformation, physicalId)).map((one) => ({
        ...one,
        logicalId: `${logicalId}.${one.logicalId}`,
      })),
    ),
  );
  return [...own, ...inner.flat()];
}
