import { DynamoDBClient, QueryCommand } from '@aws-sdk/client-dynamodb';
import { DeleteLayerVersionCommand, LambdaClient, paginateListLayerVersions } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { type BuildPlan, buildPlanSchema } from '../core/release/build-plan.ts';
import { type LayerVersion, layerName, outdatedVersions } from '../core/release/clean-up.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { allReleases, releaseIdOf } from '../core/release/table.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  dynamodb: DynamoDBClient;
  table: string;
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

/**
 * Deletes the layer versions that neither this release nor the last good ones need. It runs while the stack is locked, so
 * no other release is publishing; done twice, there is nothing left to do.
 * @returns ARN-less names of what was deleted: `stack-layer:3`
 */
export async function cleanUp(
  { release }: z.output<typeof inputSchema>,
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
  return { deleted };
}

export const handler = lambdaHandler('CleanUp', inputSchema, (input) =>
  cleanUp(input, {
    dynamodb: new DynamoDBClient(),
    table: setting('RELEASES_TABLE'),
    lambda: new LambdaClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
