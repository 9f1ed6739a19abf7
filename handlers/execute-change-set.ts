import {
  CloudFormationClient,
  DeleteChangeSetCommand,
  DescribeChangeSetCommand,
  ExecuteChangeSetCommand,
} from '@aws-sdk/client-cloudformation';
import { z } from 'zod';
import { ChangeSetFailedError } from '../core/errors.ts';
import { releaseSchema } from '../core/release/release.ts';
import { lambdaHandler } from './handler.ts';
import { type Patience, poll } from './poll.ts';

const inputSchema = z.object({ release: releaseSchema, changeSetName: z.string() });

interface Output {
  /** False when the running stack is what this release asks for already. */
  changed: boolean;
  /** ISO time before the stack began to change. */
  at: string;
}

/** CloudFormation's two wordings for a change set without changes. */
const NO_CHANGES = /didn't contain changes|No updates are to be performed/i;

/** Waits for the change set, then carries it out. Executing one twice does no harm: the second call finds it executed. */
export async function executeChangeSet(
  { release, changeSetName }: z.output<typeof inputSchema>,
  cloudformation: CloudFormationClient,
  patience?: Patience,
): Promise<Output> {
  const id = { StackName: release.stackName, ChangeSetName: changeSetName };
  const at = new Date().toISOString();
  const set = await poll(
    `change set ${changeSetName}`,
    async () => {
      const found = await cloudformation.send(new DescribeChangeSetCommand(id));
      return found.Status === 'CREATE_PENDING' || found.Status === 'CREATE_IN_PROGRESS' ? undefined : found;
    },
    patience,
  );
  if (set.Status === 'FAILED' && NO_CHANGES.test(set.StatusReason ?? '')) {
    await cloudformation.send(new DeleteChangeSetCommand(id));
    return { changed: false, at };
  }
  if (set.Status !== 'CREATE_COMPLETE') {
    throw new ChangeSetFailedError(
      `CloudFormation refuses the change set of ${release.stackName}: ${set.StatusReason ?? set.Status}. Correct template.yaml.`,
    );
  }
  if (set.ExecutionStatus === 'AVAILABLE') {
    await cloudformation.send(new ExecuteChangeSetCommand({ ...id, ClientRequestToken: changeSetName }));
  }
  return { changed: true, at };
}

export const handler = lambdaHandler('ExecuteChangeSet', inputSchema, (input) =>
  executeChangeSet(input, new CloudFormationClient()),
);
