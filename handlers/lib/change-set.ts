import {
  AlreadyExistsException,
  Capability,
  type ChangeSetType,
  type CloudFormationClient,
  CreateChangeSetCommand,
  DeleteChangeSetCommand,
  DescribeChangeSetCommand,
  ExecuteChangeSetCommand,
  InvalidChangeSetStatusException,
  type Parameter,
  type Tag,
} from '@aws-sdk/client-cloudformation';
import { ChangeSetFailedError } from '../../core/errors.ts';
import type { Release } from '../../core/release/release.ts';
import type { ResourceChange } from '../../core/release/stateful.ts';
import { templateUrl } from '../../core/release/template-url.ts';
import { type Patience, poll } from './poll.ts';
import { changesIn } from './resource-changes.ts';

export interface ChangeSet {
  stackName: string;
  /** Its own name; a second call under the same name finds the first one's change set. */
  name: string;
  type: ChangeSetType;
  bucket: string;
  /** Key of the template in the bucket. */
  templateKey: string;
  parameters: Parameter[];
  tags: Tag[];
  /** Role that CloudFormation acts with. */
  roleArn: string;
  region: string;
}

/** CloudFormation's two wordings for a change set without changes. */
const NO_CHANGES = /didn't contain changes|No updates are to be performed/i;

/** Asks CloudFormation what would change; nothing does yet. A retried call finds its own change set. */
export async function createSet(cloudformation: CloudFormationClient, set: ChangeSet): Promise<void> {
  try {
    await cloudformation.send(
      new CreateChangeSetCommand({
        StackName: set.stackName,
        ChangeSetName: set.name,
        ChangeSetType: set.type,
        TemplateURL: templateUrl(set.region, set.bucket, set.templateKey),
        // What happens to the data of nested stacks must be seen, too.
        IncludeNestedStacks: true,
        Parameters: set.parameters,
        Capabilities: [
          Capability.CAPABILITY_IAM,
          Capability.CAPABILITY_NAMED_IAM,
          Capability.CAPABILITY_AUTO_EXPAND,
        ],
        Tags: set.tags,
        RoleARN: set.roleArn,
        ClientToken: set.name,
      }),
    );
  } catch (error) {
    if (!(error instanceof AlreadyExistsException)) throw error;
  }
}

/** Names of a release's own change sets. */
export const changeSetNames = ({ id }: Pick<Release, 'id'>) => ({
  hold: `plimsoll-${id}`,
  settle: `plimsoll-settle-${id}`,
  restore: `plimsoll-restore-${id}`,
});

/** Takes away change sets that nobody has executed, so that nobody does any more. Those at work, or done, stay as they are. */
export async function dropSets(
  cloudformation: CloudFormationClient,
  stackName: string,
  names: readonly string[],
): Promise<void> {
  for (const ChangeSetName of names)
    await cloudformation
      .send(new DeleteChangeSetCommand({ StackName: stackName, ChangeSetName }))
      .catch((error: unknown) => {
        const isGone = error instanceof Error && error.name === 'ValidationError';
        if (!(isGone || error instanceof InvalidChangeSetStatusException)) throw error;
      });
}

/**
 * Waits for a change set, then carries it out. Executing one twice does no harm: the second call finds it executed.
 * @param check looks at what would change, and throws where it may not be carried out. Default: nobody looks
 * @returns false when there is nothing to change
 * @throws ChangeSetFailedError with CloudFormation's reason; StackBusyError while CloudFormation is at work
 */
export async function executeSet(
  cloudformation: CloudFormationClient,
  { stackName, name }: Pick<ChangeSet, 'stackName' | 'name'>,
  check?: (changes: readonly ResourceChange[]) => void,
  patience?: Patience,
): Promise<boolean> {
  const id = { StackName: stackName, ChangeSetName: name };
  const set = await poll(
    `change set ${name}`,
    async () => {
      const found = await cloudformation.send(new DescribeChangeSetCommand(id));
      return found.Status === 'CREATE_PENDING' || found.Status === 'CREATE_IN_PROGRESS' ? undefined : found;
    },
    patience,
  );
  if (set.Status === 'FAILED' && NO_CHANGES.test(set.StatusReason ?? '')) {
    await cloudformation.send(new DeleteChangeSetCommand(id));
    return false;
  }
  if (set.Status !== 'CREATE_COMPLETE') {
    throw new ChangeSetFailedError(
      `CloudFormation refuses the change set of ${stackName}: ${set.StatusReason ?? set.Status}. Correct template.yaml.`,
    );
  }
  if (set.ExecutionStatus === 'AVAILABLE') {
    if (check) check(await changesIn(cloudformation, id));
    await cloudformation.send(new ExecuteChangeSetCommand({ ...id, ClientRequestToken: name }));
  }
  return true;
}
