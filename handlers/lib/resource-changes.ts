import {
  type CloudFormationClient,
  GetTemplateCommand,
  paginateDescribeChangeSet,
  type ResourceChange as SdkChange,
} from '@aws-sdk/client-cloudformation';
import { objectOf } from '../../core/project/intrinsics.ts';
import { NESTED_STACK } from '../../core/project/nested.ts';
import { parseTemplate } from '../../core/project/yaml.ts';
import { isOfAttributes, keepsTable, type ResourceChange } from '../../core/release/stateful.ts';
import { stackResources } from './stack.ts';

/** A change set by the stack that it is of; both may be ARNs. */
interface ChangeSetId {
  StackName: string;
  ChangeSetName: string;
}

/** Resources of a stack's template, or of a change set's. */
async function resourcesIn(
  cloudformation: CloudFormationClient,
  id: { StackName: string; ChangeSetName?: string },
): Promise<Record<string, unknown>> {
  const { TemplateBody = '{}' } = await cloudformation.send(
    new GetTemplateCommand({ ...id, TemplateStage: 'Processed' }),
  );
  return objectOf(objectOf(parseTemplate(TemplateBody, id.StackName))['Resources']);
}

/** What goes with a nested stack that is removed: CloudFormation makes no change set for it. */
async function goneWith(
  cloudformation: CloudFormationClient,
  stackId: string,
  inside: string,
): Promise<ResourceChange[]> {
  const declared = await resourcesIn(cloudformation, { StackName: stackId });
  const found: ResourceChange[] = [];
  for (const { logicalId, physicalId, type } of await stackResources(cloudformation, stackId)) {
    const { DeletionPolicy } = objectOf(declared[logicalId]);
    const name = `${inside}${logicalId}`;
    const policy = typeof DeletionPolicy === 'string' ? { policyAction: DeletionPolicy } : {};
    found.push({ logicalId: name, type, action: 'Remove', ...policy });
    if (type === NESTED_STACK && policy.policyAction !== 'Retain')
      found.push(...(await goneWith(cloudformation, physicalId, `${name}.`)));
  }
  return found;
}

/** What a change does to what is nested in it. A nested stack that is new has nothing to lose. */
async function changesBelow(
  cloudformation: CloudFormationClient,
  { ResourceType, Action, PolicyAction, PhysicalResourceId, ChangeSetId }: SdkChange,
  inside: string,
): Promise<ResourceChange[]> {
  if (ResourceType !== NESTED_STACK || !PhysicalResourceId) return [];
  if (ChangeSetId) {
    const nested = { StackName: PhysicalResourceId, ChangeSetName: ChangeSetId };
    return changesIn(cloudformation, nested, inside);
  }
  const goes = Action === 'Remove' && !PolicyAction?.endsWith('Retain');
  return goes ? goneWith(cloudformation, PhysicalResourceId, inside) : [];
}

function changeOf(
  { LogicalResourceId, ResourceType, Action, Replacement, PolicyAction, Details = [] }: SdkChange,
  inside: string,
): ResourceChange {
  const conditional = Details.flatMap(({ Target }) =>
    Target?.RequiresRecreation === 'Conditionally' && Target.Name ? [Target.Name] : [],
  );
  return {
    logicalId: `${inside}${LogicalResourceId}`,
    type: ResourceType ?? '',
    action: Action ?? '',
    ...(Replacement ? { replacement: Replacement } : {}),
    ...(conditional.length > 0 ? { conditional } : {}),
    ...(PolicyAction ? { policyAction: PolicyAction } : {}),
  };
}

/** Changes of which the templates say what CloudFormation does not: a table that gets another index stays. */
async function withoutNewIndexes(
  cloudformation: CloudFormationClient,
  id: ChangeSetId,
  changes: readonly ResourceChange[],
  inside: string,
): Promise<readonly ResourceChange[]> {
  if (!changes.some(isOfAttributes)) return changes;
  const [before, after] = await Promise.all([
    resourcesIn(cloudformation, { StackName: id.StackName }),
    resourcesIn(cloudformation, id),
  ]);
  return changes.map((change) => {
    const name = change.logicalId.slice(inside.length);
    const stays = isOfAttributes(change) && keepsTable(before[name], after[name]);
    return stays ? { ...change, replacement: 'False' } : change;
  });
}

/**
 * What a change set would do to each resource, those of nested stacks included, at any depth.
 * @param inside what stands before the logical ids: `Data.` for a nested stack Data
 */
export async function changesIn(
  cloudformation: CloudFormationClient,
  id: ChangeSetId,
  inside = '',
): Promise<ResourceChange[]> {
  const own: ResourceChange[] = [];
  const below: ResourceChange[] = [];
  for await (const page of paginateDescribeChangeSet({ client: cloudformation }, id)) {
    for (const { ResourceChange: change } of page.Changes ?? []) {
      if (!change) continue;
      own.push(changeOf(change, inside));
      const deeper = `${inside}${change.LogicalResourceId}.`;
      below.push(...(await changesBelow(cloudformation, change, deeper)));
    }
  }
  return [...(await withoutNewIndexes(cloudformation, id, own, inside)), ...below];
}
