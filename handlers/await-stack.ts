import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { StackUpdateFailedError } from '../core/errors.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { isBusy } from '../core/release/snapshot.ts';
import type { Stored } from '../core/release/stored.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { type Patience, poll } from './lib/poll.ts';
import { describeStack, failureReasons } from './lib/stack.ts';

const inputSchema = z.object({ release: releaseSchema, since: z.iso.datetime() });

interface Clients {
  cloudformation: CloudFormationClient;
  bucket: ArtifactBucket;
}

interface Output {
  status: string;
  /** The stack's outputs, value by name. */
  outputs: Stored;
}

/** Waits for the end of the stack's change. @throws StackUpdateFailedError with the resources that failed first */
export async function awaitStack(
  { release, since }: z.output<typeof inputSchema>,
  { cloudformation, bucket }: Clients,
  patience?: Patience,
): Promise<Output> {
  const stack = await poll(
    `stack ${release.stackName}`,
    async () => {
      const found = await describeStack(cloudformation, release.stackName);
      if (!found)
        throw new StackUpdateFailedError(`stack ${release.stackName} has vanished while it was deployed`);
      return isBusy(found.StackStatus ?? '') ? undefined : found;
    },
    patience,
  );
  const status = stack.StackStatus ?? '';
  if (status !== 'CREATE_COMPLETE' && status !== 'UPDATE_COMPLETE') {
    const reasons = await failureReasons(cloudformation, release.stackName, new Date(since));
    const why = reasons.join('; ') || stack.StackStatusReason || 'no reason given';
    throw new StackUpdateFailedError(`stack ${release.stackName} is ${status}: ${why}`);
  }
  const outputs = Object.fromEntries(
    (stack.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  );
  return { status, outputs: await bucket.store(keys.report(release, 'outputs'), outputs) };
}

export const handler = lambdaHandler('AwaitStack', inputSchema, (input) =>
  awaitStack(input, {
    cloudformation: new CloudFormationClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
