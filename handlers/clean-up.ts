import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import {
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  LambdaClient,
  paginateListAliases,
  paginateListLayerVersions,
  paginateListVersionsByFunction,
} from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { type BuildPlan, buildPlanSchema } from '../core/release/build-plan.ts';
import {
  type LayerVersion,
  layerName,
  outdatedFunctionVersions,
  outdatedVersions,
} from '../core/release/clean-up.ts';
import { alarmNames } from '../core/release/observability.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { type Snapshot, snapshotSchema } from '../core/release/snapshot.ts';
import { functionsOf } from '../core/release/stack-resources.ts';
import { allReleases, releaseIdOf } from '../core/release/table.ts';
import { deleteAlarms } from './lib/alarms.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { allStackResources } from './lib/stack.ts';

const inputSchema = z.object({ release: releaseSchema, snapshot: snapshotSchema });

interface Clients {
  dynamodb: DynamoDBClient;
  table: string;
  cloudformation: CloudFormationClient;
  cloudwatch: CloudWatchClient;
  lambda: LambdaClient;
  bucket: ArtifactBucket;
}

/** So many of a stack's last releases are looked through for good ones. */
const LOOKED_THROUGH = 100;

/** Ids of the stack's good releases before this one, the newest first. */
async function goodReleases({ dynamodb, table }: Clients, release: Release): Promise<string[]> {
  const { Items = [] } = await dynamodb.send(
    new QueryCommand({
      TableName: table,
      ...allReleases(release.stackName),
      ScanIndexForward: false,
      Limit: LOOKED_THROUGH,
    }),
  );
  return Items.flatMap(({ sk, outcome }) =>
    outcome?.S === 'RELEASED' && sk?.S ? [releaseIdOf(sk.S)] : [],
  ).filter((id) => id !== release.id);
}

async function versionsOf(lambda: LambdaClient, name: string): Promise<LayerVersion[]> {
  const found: LayerVersion[] = [];
  for await (const { LayerVersions = [] } of paginateListLayerVersions(
    { client: lambda },
    { LayerName: name },
  ))
    for (const { Version: version = 0, Description: description = '' } of LayerVersions)
      found.push({ version, description });
  return found;
}

/** Numbers of a function's published versions, and of those that its aliases lead to. */
async function functionVersions(
  lambda: LambdaClient,
  FunctionName: string,
): Promise<{ numbers: number[]; aliased: Set<number> }> {
  const numbers: number[] = [];
  for await (const { Versions = [] } of paginateListVersionsByFunction({ client: lambda }, { FunctionName }))
    for (const { Version } of Versions) if (Version !== '$LATEST') numbers.push(Number(Version));
  const aliased = new Set<number>();
  for await (const { Aliases = [] } of paginateListAliases({ client: lambda }, { FunctionName }))
    for (const { FunctionVersion, RoutingConfig } of Aliases)
      for (const version of [FunctionVersion, ...Object.keys(RoutingConfig?.AdditionalVersionWeights ?? {})])
        aliased.add(Number(version));
  return { numbers, aliased };
}

/** Deletes old versions of the stack's functions. @returns names of what was deleted: `function:3` */
async function cleanUpFunctions(
  { lambda }: Clients,
  functions: ReadonlyMap<string, string>,
  { keepReleases }: BuildPlan,
): Promise<string[]> {
  const deleted: string[] = [];
  for (const FunctionName of functions.values()) {
    const { numbers, aliased } = await functionVersions(lambda, FunctionName);
    for (const number of outdatedFunctionVersions(numbers, aliased, keepReleases)) {
      await lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: String(number) }));
      deleted.push(`${FunctionName}:${number}`);
    }
  }
  return deleted;
}

/** Deletes our alarms on functions that the release has removed. @returns their names */
async function cleanUpAlarms(
  { cloudwatch }: Clients,
  { stackName }: Release,
  functions: ReadonlyMap<string, string>,
  { alarms }: Snapshot,
): Promise<string[]> {
  const needed = new Set(alarmNames(stackName, [...functions.keys()]));
  return deleteAlarms(
    cloudwatch,
    alarms.filter((name) => !needed.has(name)),
  );
}

/**
 * Deletes the layer versions that neither this release nor the last good ones need, old versions of functions, and alarms on
 * functions that are gone. It runs while the stack is locked, so no other release is publishing; done twice, there is nothing
 * left to do. @returns ARN-less names of what was deleted: `stack-layer:3`
 */
export async function cleanUp(
  { release, snapshot }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<{ deleted: string[] }> {
  const { lambda, bucket } = clients;
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const good = await goodReleases(clients, release);
  const plans = await Promise.all(
    good.map((id) => bucket.readJson(keys.plan({ ...release, id }), buildPlanSchema).catch(() => undefined)),
  );
  const readable = plans.filter((one): one is BuildPlan => one !== undefined);
  // This one counts, too. A plan of an older shape cannot be read, and its release cannot be gone back to either.
  const kept = [plan, ...readable.slice(0, plan.keepReleases - 1)];
  const names = new Set([plan, ...readable].flatMap(({ layers }) => layers.map(({ name }) => name)));
  const deleted: string[] = [];
  for (const layer of names) {
    const LayerName = layerName(release.stackName, layer);
    for (const VersionNumber of outdatedVersions(await versionsOf(lambda, LayerName), layer, kept)) {
      await lambda.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber }));
      deleted.push(`${LayerName}:${VersionNumber}`);
    }
  }
  const functions = functionsOf(await allStackResources(clients.cloudformation, release.stackName));
  deleted.push(...(await cleanUpFunctions(clients, functions, plan)));
  deleted.push(...(await cleanUpAlarms(clients, release, functions, snapshot)));
  return { deleted };
}

export const handler = lambdaHandler('CleanUp', inputSchema, (input) =>
  cleanUp(input, {
    dynamodb: new DynamoDBClient(),
    table: setting('RELEASES_TABLE'),
    cloudformation: new CloudFormationClient(),
    cloudwatch: new CloudWatchClient(),
    lambda: new LambdaClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
