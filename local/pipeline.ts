import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { EmbeddedAwsError, messageOf } from '../core/errors.ts';
import { DEFAULT_PIPELINE } from '../core/release/pipeline-name.ts';
import type { PipelineOutputs } from '../core/release/pipeline-outputs.ts';
import { deployWithCdk, OUTPUTS_FILE, readOutputs } from './cdk.ts';
import type { EmbeddedAws } from './embedded-aws.ts';
import { pipelineFingerprint } from './fingerprint.ts';

const ASSET_BUCKET = 'plimsoll-cdk-assets';

async function createAssetBucket(aws: EmbeddedAws): Promise<void> {
  const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } =
    aws.environment;
  const s3 = new S3Client({
    endpoint: aws.endpoint,
    region: aws.region,
    forcePathStyle: true,
    credentials: { accessKeyId, secretAccessKey },
  });
  await s3.send(new CreateBucketCommand({ Bucket: ASSET_BUCKET })).catch((error: unknown) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error;
  });
}

interface Options {
  /** Name of its stack. @default Plimsoll */
  pipeline?: string;
  /** What its owner would say with `cdk deploy -c`, by name. @default nothing */
  context?: Readonly<Record<string, string>>;
  /** Of its sources, where somebody has begun to read them. */
  sources?: Promise<string>;
  signal?: AbortSignal;
}

/**
 * Deploys the pipeline with the real CDK into the embedded AWS, or updates the one that is there. Where its sources are those
 * of the last time, it stays as it is.
 * @param folder of the embedded AWS's state, where the CDK may write
 * @throws EmbeddedAwsError with the end of what the CDK said
 */
export async function deployPipeline(
  aws: EmbeddedAws,
  folder: string,
  { pipeline = DEFAULT_PIPELINE, context = {}, sources = pipelineFingerprint(), signal }: Options = {},
): Promise<PipelineOutputs> {
  const deployed = join(folder, 'pipeline.sha256');
  const fingerprint = `${pipeline} ${JSON.stringify(context)} ${await sources}`;
  if (!aws.isFresh && (await readFile(deployed, 'utf8').catch(() => '')) === fingerprint)
    return readOutputs(join(folder, OUTPUTS_FILE), pipeline);
  await createAssetBucket(aws);
  // The CDK adds to what it finds there.
  await rm(join(folder, 'cdk.out'), { recursive: true, force: true });
  // The CDK would look at the template once more, for 5 s; the tests do, and what is deployed on AWS is looked at there.
  const environment = { ...aws.environment, PLIMSOLL_ASSET_BUCKET: ASSET_BUCKET, CDK_VALIDATION: 'false' };
  const deployment = { app: 'local/cdk-app.ts', pipeline, folder, environment, context, signal } as const;
  const outputs = await deployWithCdk(deployment).catch((error: unknown) => {
    throw new EmbeddedAwsError(messageOf(error));
  });
  await writeFile(deployed, fingerprint);
  return outputs;
}
