import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { ChangeSetFailedError } from '../core/errors.ts';
import { heldSchema } from '../core/release/hold.ts';
import { CALLS_AT_ONCE } from '../core/release/limits.ts';
import { releaseSchema } from '../core/release/release.ts';
import { versionsOf } from '../core/release/stack-resources.ts';
import { storedSchema } from '../core/release/stored.ts';
import { moveAlias, settleAliases } from './lib/aliases.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { allStackResources } from './lib/stack.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARN of the execution that releases the stack. */
  execution: z.string(),
  /** The aliases that are held. */
  held: storedSchema,
  percent: z.int().min(1).max(100),
  /** How long the alarms are watched from now on. */
  bakeSeconds: z.int().min(0),
});

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  bucket: ArtifactBucket;
  lock: StackLock;
}

interface Output {
  /** ISO time until which the alarms are watched. */
  until: string;
}

/**
 * Leads a share of the traffic of each held alias to its function's new version; all of it at 100 percent, and then only
 * returns once none goes to the old one any more.
 * @throws StackLockedError where the release was stopped meanwhile, and is another execution's to roll back; StackBusyError
 *   while Lambda still splits the traffic
 */
export async function shiftTraffic(
  { release, execution, held: stored, percent, bakeSeconds }: z.output<typeof inputSchema>,
  { cloudformation, lambda, bucket, lock }: Clients,
): Promise<Output> {
  const held = await bucket.load(stored, z.array(heldSchema));
  const versions = versionsOf(await allStackResources(cloudformation, release.stackName));
  await lock.refuseStopped(release, execution);
  const aliases = held.map((one) => {
    const version = versions.get(one.version);
    if (version === undefined)
      throw new ChangeSetFailedError(`stack ${release.stackName} has no version ${one.version}`);
    return { ...one, version };
  });
  if (percent === 100) await settleAliases(lambda, aliases);
  else
    await sideBySide(aliases, CALLS_AT_ONCE, (one) =>
      moveAlias(lambda, one, { version: one.from, weights: { [one.version]: percent / 100 } }),
    );
  // From the last alias on: with many of them the first ones have been watched for longer.
  return { until: new Date(Date.now() + bakeSeconds * 1000).toISOString() };
}

export const handler = lambdaHandler('ShiftTraffic', inputSchema, (input) =>
  shiftTraffic(input, {
    cloudformation: new CloudFormationClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    lock: StackLock.ofPipeline(),
  }),
);
