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
import { CALLS_AT_ONCE, partFrom } from '../core/release/limits.ts';
import { alarmNames } from '../core/release/observability.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { type Snapshot, snapshotSchema } from '../core/release/snapshot.ts';
import { functionsOf } from '../core/release/stack-resources.ts';
import { storedSchema } from '../core/release/stored.ts';
import { allReleases, releaseIdOf } from '../core/release/table.ts';
import { deleteAlarms } from './lib/alarms.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { allStackResources } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  snapshot: storedSchema,
  /** The first of the stack's functions whose versions are not done yet. */
  from: z.int().min(0),
});

interface Output {
  /** What was deleted now, without its ARN: `stack-layer:3`; the log has all of them. */
  deleted: string[];
  /** The first function of the next call; null after the last one. */
  next: number | null;
}

/** So many names travel on. */
const TOLD = 500;

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
  names: readonly string[],
  { keepReleases }: BuildPlan,
): Promise<string[]> {
  const deleted = await sideBySide(names, CALLS_AT_ONCE, async (FunctionName) => {
    const { numbers, aliased } = await functionVersions(lambda, FunctionName);
    const outdated = outdatedFunctionVersions(numbers, aliased, keepReleases);
    for (const number of outdated)
      await lambda.send(new DeleteFunctionCommand({ FunctionName, Qualifier: String(number) }));
    return outdated.map((number) => `${FunctionName}:${number}`);
  });
  return deleted.flat();
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

/** Deletes the layer versions that neither this release nor the last good ones need. @returns their names */
async function cleanUpLayers(clients: Clients, release: Release, plan: BuildPlan): Promise<string[]> {
  const { lambda, bucket } = clients;
  const good = await goodReleases(clients, release);
  const plans = await Promise.all(
    good.map((id) => bucket.readJson(keys.plan({ ...release, id }), buildPlanSchema).catch(() => undefined)),
  );
  const readable = plans.filter((one): one is BuildPlan => one !== undefined);
  // This one counts, too. A plan of an older shape cannot be read, and its release cannot be gone back to either.
  const kept = [plan, ...readable.slice(0, plan.keepReleases - 1)];
  const names = new Set([plan, ...readable].flatMap(({ layers }) => layers.map(({ name }) => name)));
  const deleted = await sideBySide([...names], CALLS_AT_ONCE, async (layer) => {
    const LayerName = layerName(release.stackName, layer);
    const outdated = outdatedVersions(await versionsOf(lambda, LayerName), layer, kept);
    for (const VersionNumber of outdated)
      await lambda.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber }));
    return outdated.map((number) => `${LayerName}:${number}`);
  });
  return deleted.flat();
}

/**
 * Deletes old versions of a part of the stack's functions, and with the first of them layer versions that no release needs
 * and alarms on functions that are gone. It runs while the stack is locked, so no other release is publishing; done twice,
 * there is nothing left to do.
 */
export async function cleanUp(
  { release, snapshot, from }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Output> {
  const { bucket } = clients;
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const functions = functionsOf(await allStackResources(clients.cloudformation, release.stackName));
  const { part, next } = partFrom([...functions.values()].sort(), from);
  const deleted = await cleanUpFunctions(clients, part, plan);
  if (from === 0) {
    deleted.push(...(await cleanUpLayers(clients, release, plan)));
    const before = await bucket.load(snapshot, snapshotSchema);
    deleted.push(...(await cleanUpAlarms(clients, release, functions, before)));
  }
  return { deleted: deleted.slice(0, TOLD), next };
}

export const handler = lambdaHandler('CleanUp', inputSchema, (input) =>
  cleanUp(input, {
    dynamodb: new DynamoDBClient(),
    table: setting('RELEASES_TABLE'),
    cloudformation: new CloudFormationClient(),
    cloudwatch: new CloudWatchClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
