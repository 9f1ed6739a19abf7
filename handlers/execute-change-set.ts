import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { StatefulChangeError } from '../core/errors.ts';
import { buildPlanSchema } from '../core/release/build-plan.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { endangered } from '../core/release/stateful.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { executeSet } from './lib/change-set.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARN of the execution that releases the stack. */
  execution: z.string(),
  changeSetName: z.string(),
});

interface Clients {
  cloudformation: CloudFormationClient;
  bucket: ArtifactBucket;
  lock: StackLock;
}

interface Output {
  /** False when the running stack is what this release asks for already. */
  changed: boolean;
  /** ISO time before the stack began to change. */
  at: string;
}

/** Carries the release's change set out, unless it would end data. @throws StatefulChangeError naming the resources */
export async function executeChangeSet(
  { release, execution, changeSetName }: z.output<typeof inputSchema>,
  { cloudformation, bucket, lock }: Clients,
): Promise<Output> {
  await lock.refuseStopped(release, execution);
  const at = new Date().toISOString();
  const { protect } = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const changed = await executeSet(
    cloudformation,
    { stackName: release.stackName, name: changeSetName },
    (changes) => {
      const lost = endangered(changes, protect, release.allowDataLoss);
      if (lost.length > 0)
        throw new StatefulChangeError(
          `the release would ${lost.join(', ')}, and what is in there would be gone; nothing was changed. Keep it (DeletionPolicy and UpdateReplacePolicy: Retain in template.yaml), or allow it by name in the input: "allowDataLoss": [LOGICAL_ID] (plimsoll deploy or rollback --allow-data-loss LOGICAL_ID)`,
        );
    },
  );
  return { changed, at };
}

export const handler = lambdaHandler('ExecuteChangeSet', inputSchema, (input) =>
  executeChangeSet(input, {
    cloudformation: new CloudFormationClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    lock: StackLock.ofPipeline(),
  }),
);
