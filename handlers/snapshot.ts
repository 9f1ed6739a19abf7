import { CloudFormationClient, GetTemplateCommand } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { keys, releaseSchema } from '../core/release/release.ts';
import type { Snapshot } from '../core/release/snapshot.ts';
import { liveAliases } from './lib/aliases.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { describeStack, stackNow, stackResources } from './lib/stack.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  bucket: ArtifactBucket;
}

/** What CloudFormation shows of a NoEcho parameter: docs.aws.amazon.com, "Parameters section structure". */
const NO_ECHO = '****';

/** Keeps what is needed to come back to the stack as it runs now. */
export async function snapshot(
  { release }: z.output<typeof inputSchema>,
  { cloudformation, lambda, bucket }: Clients,
): Promise<Snapshot> {
  // It lies in the bucket, too: when this execution is stopped, another one brings the stack back.
  const keep = async (result: Snapshot): Promise<Snapshot> => {
    await bucket.write(keys.snapshot(release), JSON.stringify(result));
    return result;
  };
  const stack = await describeStack(cloudformation, release.stackName);
  const now = stackNow(stack);
  if (!stack || !now || now.status === 'REVIEW_IN_PROGRESS')
    return keep({ existed: false, parameters: [], tags: [], aliases: [] });
  const { TemplateBody = '' } = await cloudformation.send(
    new GetTemplateCommand({ StackName: release.stackName, TemplateStage: 'Original' }),
  );
  const templateKey = keys.snapshotTemplate(release);
  await bucket.write(templateKey, TemplateBody);
  const result: Snapshot = {
    existed: true,
    status: now.status,
    changedAt: now.changedAt,
    templateKey,
    parameters: (stack.Parameters ?? []).map(({ ParameterKey: key = '', ParameterValue: value }) => ({
      key,
      ...(value === undefined || value === NO_ECHO ? {} : { value }),
    })),
    tags: (stack.Tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value })),
    aliases: await liveAliases(await stackResources(cloudformation, release.stackName), lambda),
  };
  return keep(result);
}

export const handler = lambdaHandler('Snapshot', inputSchema, (input) =>
  snapshot(input, {
    cloudformation: new CloudFormationClient(),
    lambda: new LambdaClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
