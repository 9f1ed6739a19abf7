import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { z } from 'zod';
import { releaseSchema } from '../core/release/release.ts';
import { executeSet } from './lib/change-set.ts';
import { lambdaHandler } from './lib/handler.ts';

const inputSchema = z.object({ release: releaseSchema, changeSetName: z.string() });

interface Output {
  /** False when the running stack is what this release asks for already. */
  changed: boolean;
  /** ISO time before the stack began to change. */
  at: string;
}

/** Carries the release's change set out. */
export async function executeChangeSet(
  { release, changeSetName }: z.output<typeof inputSchema>,
  cloudformation: CloudFormationClient,
): Promise<Output> {
  const at = new Date().toISOString();
  const changed = await executeSet(cloudformation, { stackName: release.stackName, name: changeSetName });
  return { changed, at };
}

export const handler = lambdaHandler('ExecuteChangeSet', inputSchema, (input) =>
  executeChangeSet(input, new CloudFormationClient()),
);
