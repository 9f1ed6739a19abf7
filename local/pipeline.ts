import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BucketAlreadyOwnedByYou, CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { EmbeddedAwsError } from '../core/errors.ts';
import { type PipelineOutputs, pipelineOutputsSchema } from '../core/release/pipeline-outputs.ts';
import type { EmbeddedAws } from './embedded-aws.ts';
import { pipelineFingerprint } from './fingerprint.ts';
import { ROOT } from './paths.ts';

const ASSET_BUCKET = 'plimsoll-cdk-assets';
const STACK_NAME = 'Plimsoll';

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

function cdk(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const program = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
    if (!existsSync(program))
      reject(new EmbeddedAwsError('the CDK is not installed; run: node scripts/setup.mjs'));
    const child = spawn(process.execPath, [program, ...args], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

async function readOutputs(path: string): Promise<PipelineOutputs> {
  const stacks = z.record(z.string(), pipelineOutputsSchema).parse(JSON.parse(await readFile(path, 'utf8')));
  const found = stacks[STACK_NAME];
  if (!found) throw new EmbeddedAwsError(`${path}: the CDK wrote no outputs of ${STACK_NAME}`);
  return found;
}

/**
 * Deploys the pipeline with the real CDK into the embedded AWS, or updates the one that is there. Where its sources are those
 * of the last time, it stays as it is.
 * @param folder of the embedded AWS's state, where the CDK may write
 * @throws EmbeddedAwsError with the end of what the CDK said
 */
export async function deployPipeline(aws: EmbeddedAws, folder: string): Promise<PipelineOutputs> {
  const outputs = join(folder, 'pipeline.json');
  const deployed = join(folder, 'pipeline.sha256');
  const fingerprint = await pipelineFingerprint();
  if (!aws.isFresh && (await readFile(deployed, 'utf8').catch(() => '')) === fingerprint)
    return readOutputs(outputs);
  await createAssetBucket(aws);
  // The CDK adds to what it finds there.
  await rm(join(folder, 'cdk.out'), { recursive: true, force: true });
  const { code, output } = await cdk(
    [
      'deploy',
      STACK_NAME,
      '--app',
      'npx tsx local/cdk-app.ts',
      '--output',
      join(folder, 'cdk.out'),
      '--outputs-file',
      outputs,
      '--require-approval',
      'never',
      '--no-notices',
      '--no-version-reporting',
      '--no-path-metadata',
      '--no-asset-metadata',
      '--ci',
    ],
    {
      ...process.env,
      ...aws.environment,
      PLIMSOLL_ASSET_BUCKET: ASSET_BUCKET,
      CDK_DISABLE_CLI_TELEMETRY: 'true',
      NO_COLOR: '1',
    },
  );
  if (code !== 0)
    throw new EmbeddedAwsError(
      `the pipeline could not be deployed:\n${output.trim().split('\n').slice(-15).join('\n')}`,
    );
  await writeFile(deployed, fingerprint);
  return readOutputs(outputs);
}
