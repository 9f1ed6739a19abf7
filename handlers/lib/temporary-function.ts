import { type CloudWatchLogsClient, DeleteLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  DeleteFunctionCommand,
  InvalidParameterValueException,
  type LambdaClient,
  ResourceConflictException,
  type Runtime,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import type { BuildPlan, PlannedFunction } from '../../core/release/build-plan.ts';
import { ACTIVE_SECONDS } from '../../core/release/limits.ts';
import type { ArtifactBucket } from './artifact-bucket.ts';
import type { Patience } from './poll.ts';
import { untilReady } from './until-ready.ts';
import { checkTaken, type ValidatedArtifacts } from './validated.ts';

interface Clients {
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  validated: ValidatedArtifacts;
}

/** What of a temporary function does not follow from the release. */
type Rest = Omit<CreateFunctionCommandInput, 'Code' | 'Runtime' | 'Architectures'> & { FunctionName: string };

/** ARNs of the function's own layers, as the release has published them. */
export const layerArns = (
  fn: PlannedFunction,
  plan: BuildPlan,
  published: Readonly<Record<string, string>>,
): string[] =>
  fn.layers.flatMap(
    (name) => published[plan.layers.find((layer) => layer.name === name)?.logicalId ?? ''] ?? [],
  );

/** IAM has not told Lambda of a new role yet; it does within seconds (IAM user guide, "Changes that I make are not always immediately visible"). */
export const isNoRoleYet = (error: unknown): boolean =>
  error instanceof InvalidParameterValueException && /cannot be assumed by Lambda/.test(error.message);

async function create(
  { lambda, bucket, validated }: Clients,
  fn: PlannedFunction,
  rest: Rest,
  patience: Patience | undefined,
): Promise<void> {
  const zip = validated.find('function', fn);
  const command = new CreateFunctionCommand({
    ...rest,
    Runtime: fn.runtime as Runtime,
    Architectures: [fn.architecture],
    Code: { S3Bucket: bucket.name, S3Key: zip.key, S3ObjectVersion: zip.versionId },
  });
  try {
    const { CodeSha256 } = await untilReady(() => lambda.send(command), isNoRoleYet, patience);
    checkTaken(`function ${fn.name}`, zip, CodeSha256);
  } catch (error) {
    // A retried state finds its own.
    if (!(error instanceof ResourceConflictException)) throw error;
  }
  await waitUntilFunctionActiveV2(
    { client: lambda, maxWaitTime: ACTIVE_SECONDS, minDelay: 0.2, maxDelay: 5 },
    { FunctionName: rest.FunctionName },
  );
}

/** Deletes the function and its log group: what they had to say stands in the error. */
async function remove({ lambda, logs }: Clients, FunctionName: string): Promise<void> {
  const unlessGone = (error: unknown) => {
    // Lambda's and CloudWatch Logs' own classes have the same name.
    if (!(error instanceof Error && error.name === 'ResourceNotFoundException')) throw error;
  };
  await lambda.send(new DeleteFunctionCommand({ FunctionName })).catch(unlessGone);
  await logs
    .send(new DeleteLogGroupCommand({ logGroupName: `/aws/lambda/${FunctionName}` }))
    .catch(unlessGone);
}

/** Lends a function with the code of a release that nobody else calls; it is deleted whatever comes of it. */
export async function withTemporaryFunction<T>(
  clients: Clients,
  fn: PlannedFunction,
  rest: Rest,
  use: (name: string) => Promise<T>,
  patience?: Patience,
): Promise<T> {
  try {
    await create(clients, fn, rest, patience);
    return await use(rest.FunctionName);
  } finally {
    await remove(clients, rest.FunctionName);
  }
}
