import { CloudFormationClient, GetTemplateCommand, type TemplateStage } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { CALLS_AT_ONCE } from '../core/release/limits.ts';
import { shownParameters } from '../core/release/no-echo.ts';
import { alarmNames, dashboardName } from '../core/release/observability.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { type Snapshot, snapshotSchema } from '../core/release/snapshot.ts';
import { functionsOf } from '../core/release/stack-resources.ts';
import type { Stored } from '../core/release/stored.ts';
import { sha256 } from '../core/sha256.ts';
import { existingAlarms, hasDashboard } from './lib/alarms.ts';
import { liveAliases } from './lib/aliases.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { logGroupOf } from './lib/log-groups.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { allStackResources, describeStack, stackNow } from './lib/stack.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  cloudformation: CloudFormationClient;
  cloudwatch: CloudWatchClient;
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  /** Name of the pipeline's stack. */
  pipeline: string;
}

/** Keeps what is needed to come back to the stack as it runs now. @returns where it lies */
export async function snapshot({ release }: z.output<typeof inputSchema>, clients: Clients): Promise<Stored> {
  const { cloudformation, lambda, bucket } = clients;
  // It lies in the bucket, too: when this execution is stopped, another one rolls the stack back.
  const keep = (result: Snapshot): Promise<Stored> => bucket.store(keys.snapshot(release), result);
  const stack = await describeStack(cloudformation, release.stackName);
  const now = stackNow(stack);
  if (!stack || !now || now.status === 'REVIEW_IN_PROGRESS')
    return keep(snapshotSchema.parse({ existed: false }));
  const template = await templateOf(cloudformation, release, 'Original');
  const templateKey = keys.snapshotTemplate(release);
  const processedKey = keys.snapshotProcessed(release);
  await bucket.write(templateKey, template);
  await bucket.write(processedKey, await templateOf(cloudformation, release, 'Processed'));
  const resources = await allStackResources(cloudformation, release.stackName);
  const functions = functionsOf(resources);
  return keep({
    existed: true,
    status: now.status,
    changedAt: now.changedAt,
    templateKey,
    templateSha256: sha256(template),
    processedKey,
    capabilities: stack.Capabilities ?? [],
    parameters: shownParameters(stack.Parameters ?? []),
    tags: (stack.Tags ?? []).map(({ Key = '', Value = '' }) => ({ Key, Value })),
    aliases: await liveAliases(resources, lambda),
    functions: await sideBySide([...functions], CALLS_AT_ONCE, ([logicalId, name]) =>
      liveFunction(logicalId, name, clients),
    ),
    dashboard: await hasDashboard(clients.cloudwatch, dashboardName(clients.pipeline, release.stackName)),
    alarms: await existingAlarms(clients.cloudwatch, alarmNames(release.stackName, [...functions.keys()])),
  });
}

async function templateOf(
  cloudformation: CloudFormationClient,
  { stackName }: Release,
  TemplateStage: TemplateStage,
): Promise<string> {
  const { TemplateBody = '' } = await cloudformation.send(
    new GetTemplateCommand({ StackName: stackName, TemplateStage }),
  );
  return TemplateBody;
}

async function liveFunction(
  logicalId: string,
  name: string,
  { lambda, logs }: Clients,
): Promise<Snapshot['functions'][number]> {
  const { Layers = [] } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: name }));
  const retentionDays = (await logGroupOf(logs, name))?.retentionInDays;
  return {
    logicalId,
    name,
    layers: Layers.flatMap(({ Arn }) => Arn ?? []),
    ...(retentionDays === undefined ? {} : { retentionDays }),
  };
}

export const handler = lambdaHandler('Snapshot', inputSchema, (input) =>
  snapshot(input, {
    cloudformation: new CloudFormationClient(),
    cloudwatch: new CloudWatchClient(),
    lambda: new LambdaClient(PATIENT),
    logs: new CloudWatchLogsClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    pipeline: setting('PIPELINE_STACK'),
  }),
);
