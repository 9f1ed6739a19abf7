import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { EmbeddedAwsError, PrerequisiteError } from '../core/errors.ts';
import { type PipelineOutputs, pipelineOutputsSchema } from '../core/release/pipeline-outputs.ts';
import { ROOT } from './paths.ts';

export interface CdkDeployment {
  /** CDK app of the checkout that synthesises the pipeline: a file relative to the checkout. */
  app: 'infra/app.ts' | 'local/cdk-app.ts';
  /** Name of the pipeline's stack. */
  pipeline: string;
  /** Where the CDK may write. */
  folder: string;
  /** Added to the environment: where AWS is, and who calls. */
  environment: Readonly<Record<string, string>>;
  /** What the app is told besides, by name. */
  context?: Readonly<Record<string, string>>;
  /** Ends the CDK; what CloudFormation has begun goes on. */
  signal?: AbortSignal | undefined;
}

/** In the folder of a deployment: what the stack of the pipeline has put out. */
export const OUTPUTS_FILE = 'pipeline.json';

/** What the CDK has written of a pipeline. @throws PrerequisiteError where it is not of this one */
export async function readOutputs(path: string, pipeline: string): Promise<PipelineOutputs> {
  const stacks = z.record(z.string(), pipelineOutputsSchema).parse(JSON.parse(await readFile(path, 'utf8')));
  const found = stacks[pipeline];
  if (!found) throw new PrerequisiteError(`${path}: the CDK wrote no outputs of ${pipeline}`);
  return found;
}

interface Ended {
  code: number | null;
  output: string;
}

function cdk(args: readonly string[], env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const program = join(ROOT, 'node_modules', 'aws-cdk', 'bin', 'cdk');
    if (!existsSync(program))
      reject(new EmbeddedAwsError('the CDK is not installed; run: node scripts/setup.mjs'));
    const child = spawn(process.execPath, [program, ...args], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const end = () => child.kill('SIGTERM');
    signal?.addEventListener('abort', end, { once: true });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      signal?.removeEventListener('abort', end);
      resolve({ code, output });
    });
  });
}

/**
 * Deploys a pipeline with the checkout's own CDK, or updates the one that is there.
 * @throws PrerequisiteError with the end of what the CDK said
 */
export async function deployWithCdk({
  app,
  pipeline,
  folder,
  environment,
  context = {},
  signal,
}: CdkDeployment): Promise<PipelineOutputs> {
  const outputs = join(folder, OUTPUTS_FILE);
  const args = [
    'deploy',
    pipeline,
    '--app',
    `npx tsx ${app}`,
    '--context',
    `pipeline=${pipeline}`,
    ...Object.entries(context).flatMap(([name, value]) => ['--context', `${name}=${value}`]),
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
  ];
  const env = { ...process.env, ...environment, CDK_DISABLE_CLI_TELEMETRY: 'true', NO_COLOR: '1' };
  const { code, output } = await cdk(args, env, signal);
  if (code !== 0)
    throw new PrerequisiteError(
      `the pipeline could not be deployed:\n${output.trim().split('\n').slice(-15).join('\n')}`,
    );
  return readOutputs(outputs, pipeline);
}
