import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { type BuildPlan, buildPlanSchema, type PlannedFunction } from '../core/release/build-plan.ts';
import { temporaryPrefix } from '../core/release/pipeline-name.ts';
import { temporaryName } from '../core/release/probe.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { snapshotSchema } from '../core/release/snapshot.ts';
import { aliasesIn, functionsOf } from '../core/release/stack-resources.ts';
import { twinEnvironment, whyNoTwin } from '../core/release/twin.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { placeIn } from './lib/nested-templates.ts';
import { callWithEvent, type Passed, timed } from './lib/smoke-event.ts';
import { allStackResources } from './lib/stack.ts';
import { templateBefore } from './lib/template-before.ts';
import { allSettled, layerArns, withTemporaryFunction } from './lib/temporary-function.ts';
import { ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({
  release: releaseSchema,
  snapshot: snapshotSchema,
  /** ARNs of the layers, by logical id. */
  layers: z.record(z.string(), z.string()),
});
type Input = z.output<typeof inputSchema>;

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  /** Name of the pipeline's stack. */
  pipeline: string;
}

interface Output {
  passed: Passed[];
  /** Functions that have no twin, and why: their smoke tests run once they are deployed. */
  skipped: { function: string; why: string }[];
}

const templateSchema = z.record(z.string(), z.unknown());

/** Proves one function by its twin, or says why that would prove nothing. */
async function prove(
  fn: PlannedFunction,
  functionName: string,
  plan: BuildPlan,
  { release, snapshot, layers }: Input,
  clients: Clients,
): Promise<Passed[] | string> {
  const { lambda, bucket } = clients;
  const live = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }));
  const like = {
    environment: live.Environment?.Variables ?? {},
    inVpc: (live.VpcConfig?.SubnetIds?.length ?? 0) > 0,
  };
  const template = await bucket.readJson(keys.template(release), templateSchema);
  const now = await placeIn(bucket, template, fn.logicalId);
  const before = await placeIn(bucket, await templateBefore(snapshot, bucket, 'written'), fn.logicalId);
  const why = whyNoTwin(fn, now, before, like);
  if (why !== undefined) return why;
  const configuration = {
    FunctionName: temporaryName(temporaryPrefix(clients.pipeline, 'twin'), release, fn.name),
    Description: `Temporary: proves ${functionName} of a release before it is deployed`,
    Role: live.Role,
    Handler: fn.handler,
    Layers: layerArns(fn, plan, layers),
    Timeout: live.Timeout,
    MemorySize: live.MemorySize,
    EphemeralStorage: live.EphemeralStorage,
    KMSKeyArn: live.KMSKeyArn,
    Environment: { Variables: twinEnvironment(fn, like) },
  };
  const validated = await ValidatedArtifacts.read(bucket, release);
  return withTemporaryFunction({ ...clients, validated }, fn, configuration, async (name) => {
    const passed: Passed[] = [];
    for (const event of fn.smoke) {
      const check = `smoke event ${event.name} of ${fn.logicalId}, on a temporary twin`;
      passed.push(
        await timed(check, async () => {
          await callWithEvent(lambda, { name }, check, event);
        }),
      );
    }
    return passed;
  });
}

/**
 * Runs the smoke events of functions without an alias on temporary twins, before the functions change: afterwards it would
 * be too late. What is behind an alias is proven by number instead, and on a first deployment nothing is live yet.
 * @throws SmokeTestFailedError naming the check, what came back and what was expected
 */
export async function smokeTestTwins(input: Input, clients: Clients): Promise<Output> {
  const { release, snapshot } = input;
  if (!snapshot.existed) return { passed: [], skipped: [] };
  const plan = await clients.bucket.readJson(keys.plan(release), buildPlanSchema);
  const resources = await allStackResources(clients.cloudformation, release.stackName);
  const aliased = new Set(aliasesIn(resources).map(({ functionName }) => functionName));
  const names = functionsOf(resources);
  const results = await allSettled(
    plan.functions.map(async (fn) => {
      const name = names.get(fn.logicalId);
      const isLive = name !== undefined && !aliased.has(name) && fn.smoke.length > 0;
      return { fn, result: isLive ? await prove(fn, name, plan, input, clients) : [] };
    }),
  );
  return {
    passed: results.flatMap(({ result }) => (typeof result === 'string' ? [] : result)),
    skipped: results.flatMap(({ fn, result }) =>
      typeof result === 'string' ? [{ function: fn.logicalId, why: result }] : [],
    ),
  };
}

export const handler = lambdaHandler('SmokeTestTwins', inputSchema, (input) =>
  smokeTestTwins(input, {
    cloudformation: new CloudFormationClient(),
    lambda: new LambdaClient(),
    logs: new CloudWatchLogsClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    pipeline: setting('PIPELINE_STACK'),
  }),
);
