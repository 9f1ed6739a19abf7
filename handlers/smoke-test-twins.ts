import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { GetFunctionConfigurationCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { type BuildPlan, buildPlanSchema, type PlannedFunction } from '../core/release/build-plan.ts';
import { directCaller } from '../core/release/direct-calls.ts';
import { BATCH_SIZE, inBatch } from '../core/release/limits.ts';
import { temporaryPrefix } from '../core/release/pipeline-name.ts';
import { temporaryName } from '../core/release/probe.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import type { Passed } from '../core/release/smoke-report.ts';
import { snapshotSchema } from '../core/release/snapshot.ts';
import { aliasesIn, functionsOf } from '../core/release/stack-resources.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { liveFunction, twinEnvironment, whyNoTwin } from '../core/release/twin.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { placeIn } from './lib/nested-templates.ts';
import { PATIENT } from './lib/patience.ts';
import type { Patience } from './lib/poll.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { callWithEvents } from './lib/smoke-event.ts';
import { allStackResources } from './lib/stack.ts';
import { templateBefore } from './lib/template-before.ts';
import { isNoRoleYet, layerArns, withTemporaryFunction } from './lib/temporary-function.ts';
import { ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({
  release: releaseSchema,
  snapshot: storedSchema,
  /** ARNs of the layers, by logical id. */
  layers: z.record(z.string(), z.string()),
  batch: z.int().min(0),
});
type Input = z.output<typeof inputSchema>;

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  /** Name of the pipeline's stack. */
  pipeline: string;
  /** With a role that Lambda cannot assume yet. */
  patience?: Patience;
}

/** What lies in the artifact bucket afterwards. */
interface Report {
  passed: Passed[];
  /** Functions that have no twin, and why: their smoke tests run once they are deployed. */
  skipped: { function: string; why: string }[];
}

/** So that the lines of a few hundred functions fit into what a state may hand on. */
const MAX_LINE = 250;

const templateSchema = z.record(z.string(), z.unknown());
type Template = z.output<typeof templateSchema>;

/** Where the report lies; and, for people, a line for each function that has no twin, and why. */
interface Output extends Stored {
  unproven: string[];
}

/** What all functions of a batch are proven against. */
interface Ground {
  plan: BuildPlan;
  validated: ValidatedArtifacts;
  /** The release's template, and the one that runs. */
  now: Template;
  before: Template;
}

/**
 * Proves one function by its twin, or says why that would prove nothing. A twin has what decides how a call is answered: code,
 * layers, handler, role, variables, memory, time and disk. It has no dead-letter queue, no tracing, no tags, no reserved
 * concurrency and no SnapStart, which acts on published versions; and nothing triggers it.
 */
async function prove(
  fn: PlannedFunction,
  functionName: string,
  ground: Ground,
  { release, layers }: Input,
  clients: Clients,
): Promise<Passed[] | string> {
  const { lambda, bucket } = clients;
  const live = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName: functionName }));
  const like = liveFunction(live);
  const now = await placeIn(bucket, ground.now, fn.logicalId);
  const before = await placeIn(bucket, ground.before, fn.logicalId);
  const why = whyNoTwin(fn, now, before, like);
  if (why !== undefined) return why;
  const configuration = {
    FunctionName: temporaryName(temporaryPrefix(clients.pipeline, 'twin'), release, fn.name),
    Description: `Temporary: proves ${functionName} of a release before it is deployed`,
    Role: live.Role,
    Handler: fn.handler,
    Layers: layerArns(fn, ground.plan, layers),
    Timeout: live.Timeout,
    MemorySize: live.MemorySize,
    EphemeralStorage: live.EphemeralStorage,
    Environment: { Variables: twinEnvironment(fn, like) },
  };
  const { validated } = ground;
  const call = async (name: string) => {
    const { passed } = await callWithEvents(lambda, { name }, fn, ', on a temporary twin');
    return passed;
  };
  return withTemporaryFunction({ ...clients, validated }, fn, configuration, call, clients.patience).catch(
    (error: unknown) => {
      // The live function has it: so its trust policy names that function, in aws:SourceArn for one.
      if (isNoRoleYet(error)) return 'its role lets no other function assume it';
      throw error;
    },
  );
}

/**
 * Runs the smoke events of a batch of functions on temporary twins, before the functions change: afterwards it would be too late.
 * What is called by an alias alone is proven by number instead, and on a first deployment nothing is live yet.
 * @throws SmokeTestFailedError naming the check, what came back and what was expected
 */
export async function smokeTestTwins(input: Input, clients: Clients): Promise<Output> {
  const { release, batch } = input;
  const { bucket } = clients;
  const report = async (content: Report): Promise<Output> => ({
    ...(await bucket.store(keys.report(release, 'twins', batch), content)),
    unproven: content.skipped.map((one) => `${one.function}: ${one.why}`.slice(0, MAX_LINE)),
  });
  const snapshot = await bucket.load(input.snapshot, snapshotSchema);
  if (!snapshot.existed) return report({ passed: [], skipped: [] });
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const functions = inBatch(plan.functions, batch).filter(
    ({ smoke, idle }) => smoke.length > 0 && idle === undefined,
  );
  if (functions.length === 0) return report({ passed: [], skipped: [] });
  const ground = {
    plan,
    validated: await ValidatedArtifacts.read(bucket, release),
    now: await bucket.readJson(keys.template(release), templateSchema),
    before: await templateBefore(snapshot, bucket, 'written'),
  };
  const resources = await allStackResources(clients.cloudformation, release.stackName);
  const aliased = new Set(aliasesIn(resources).map(({ functionName }) => functionName));
  const names = functionsOf(resources);
  const isHeldBack = async ({ logicalId }: PlannedFunction, name: string) => {
    if (!aliased.has(name)) return false;
    const { template, logicalId: id, given } = await placeIn(bucket, ground.now, logicalId);
    return directCaller(template, id, given.length > 0) === undefined;
  };
  const results = await sideBySide(functions, BATCH_SIZE, async (fn) => {
    const name = names.get(fn.logicalId);
    const isProven = name === undefined || (await isHeldBack(fn, name));
    return { fn, result: isProven ? [] : await prove(fn, name, ground, input, clients) };
  });
  return report({
    passed: results.flatMap(({ result }) => (typeof result === 'string' ? [] : result)),
    skipped: results.flatMap(({ fn, result }) =>
      typeof result === 'string' ? [{ function: fn.logicalId, why: result }] : [],
    ),
  });
}

export const handler = lambdaHandler('SmokeTestTwins', inputSchema, (input) =>
  smokeTestTwins(input, {
    cloudformation: new CloudFormationClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    logs: new CloudWatchLogsClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    pipeline: setting('PIPELINE_STACK'),
  }),
);
