import {
  type Architecture,
  DeleteLayerVersionCommand,
  LambdaClient,
  PublishLayerVersionCommand,
  paginateListLayerVersions,
  type Runtime,
} from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { buildPlanSchema, type PlannedLayer } from '../core/release/build-plan.ts';
import { describeLayer, layerName } from '../core/release/clean-up.ts';
import { batchesOf, CALLS_AT_ONCE } from '../core/release/limits.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { checkTaken, ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  lambda: LambdaClient;
  bucket: ArtifactBucket;
}

interface Output {
  /** ARN of the version to use, by the layer's logical id. */
  layers: Record<string, string>;
  published: string[];
  /** Numbers of the batches in which the functions are proven. */
  batches: number[];
}

/** The version that was published from the same content before, so that a retry publishes nothing twice. */
async function findVersion(
  lambda: LambdaClient,
  name: string,
  layer: PlannedLayer,
): Promise<string | undefined> {
  for await (const { LayerVersions = [] } of paginateListLayerVersions(
    { client: lambda },
    { LayerName: name },
  )) {
    const same = LayerVersions.find(({ Description }) => Description === describeLayer(layer.key));
    if (same) return same.LayerVersionArn;
  }
  return undefined;
}

async function publish(
  { lambda, bucket }: Clients,
  name: string,
  layer: PlannedLayer,
  validated: ValidatedArtifacts,
): Promise<string> {
  const zip = validated.find('layer', layer);
  const {
    LayerVersionArn = '',
    Version,
    Content,
  } = await lambda.send(
    new PublishLayerVersionCommand({
      LayerName: name,
      Description: describeLayer(layer.key),
      Content: { S3Bucket: bucket.name, S3Key: zip.key, S3ObjectVersion: zip.versionId },
      CompatibleRuntimes: layer.runtimes as Runtime[],
      CompatibleArchitectures: layer.architectures as Architecture[],
    }),
  );
  try {
    checkTaken(`layer ${layer.name}`, zip, Content?.CodeSha256);
  } catch (error) {
    // Under our description it would be used again.
    await lambda.send(new DeleteLayerVersionCommand({ LayerName: name, VersionNumber: Version }));
    throw error;
  }
  return LayerVersionArn;
}

/** Publishes a version of each layer whose content Lambda does not have yet. No function uses it before its own change. */
export async function deployLayers(
  { release }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Output> {
  const plan = await clients.bucket.readJson(keys.plan(release), buildPlanSchema);
  const validated = await ValidatedArtifacts.read(clients.bucket, release);
  const results = await sideBySide(plan.layers, CALLS_AT_ONCE, async (layer) => {
    const name = layerName(release.stackName, layer.name);
    const found = await findVersion(clients.lambda, name, layer);
    return {
      layer,
      arn: found ?? (await publish(clients, name, layer, validated)),
      isNew: found === undefined,
    };
  });
  return {
    layers: Object.fromEntries(results.map(({ layer, arn }) => [layer.logicalId, arn])),
    published: results.filter(({ isNew }) => isNew).map(({ arn }) => arn),
    batches: batchesOf(plan.functions.length),
  };
}

export const handler = lambdaHandler('DeployLayers', inputSchema, (input) =>
  deployLayers(input, {
    lambda: new LambdaClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
