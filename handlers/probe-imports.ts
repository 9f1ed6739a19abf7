import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { manifestSchema } from '../core/build/manifest.ts';
import { onlyOthersBring } from '../core/build/others.ts';
import { ImportCheckError } from '../core/errors.ts';
import { type BuildPlan, buildPlanSchema, type PlannedFunction } from '../core/release/build-plan.ts';
import { handlerModule } from '../core/release/entry.ts';
import { BATCH_SIZE, inBatch, PROBE_ATTEMPTS, PROBE_SECONDS } from '../core/release/limits.ts';
import { temporaryPrefix } from '../core/release/pipeline-name.ts';
import { isOurs } from '../core/release/plan.ts';
import {
  isTooSlow,
  PROBE_HANDLER,
  type Probe,
  refuseHeavyStart,
  temporaryName,
} from '../core/release/probe.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import type { Stored } from '../core/release/stored.ts';
import { agrees, layersOf } from '../core/release/versions.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { layerArns, withTemporaryFunction } from './lib/temporary-function.ts';
import { ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARNs of the layers, by logical id. */
  layers: z.record(z.string(), z.string()),
  batch: z.int().min(0),
});

interface Clients {
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  /** Role of the probes: it may do nothing but write logs. */
  roleArn: string;
  /** Name of the pipeline's stack. */
  pipeline: string;
}

const answerSchema = z.object({
  results: z.array(
    z.object({
      module: z.string(),
      ms: z.number(),
      error: z.string().nullable(),
      /** `other` where the module is there and its own code fails, as code may that needs the function's own role. */
      kind: z.enum(['import', 'other']).nullable(),
    }),
  ),
  /** What the function had for itself once its handler's module was imported. */
  bytes: z.number().nullable(),
});

const MIB = 1024 * 1024;

/** Imports get a whole processor from here on, so that their time says something. */
const PROBE_MEMORY_MB = 1769;

/**
 * Modules of the function and of all its layers; whoever imports one more than the function does, proves more. Where it sees
 * other versions than a layer was proven with, that layer's modules may fail here: the function's own say whether it needs them.
 */
async function modulesOf(bucket: ArtifactBucket, plan: BuildPlan, fn: PlannedFunction): Promise<string[]> {
  const layers = agrees(fn, plan.layers) ? layersOf(fn, plan.layers) : [];
  const manifests = await Promise.all([
    ...layers.map(({ name, key }) => bucket.readJson(keys.manifest('layer', name, key), manifestSchema)),
    bucket.readJson(keys.manifest('function', fn.name, fn.key), manifestSchema),
  ]);
  return [...new Set(manifests.flatMap(({ modules }) => modules))];
}

/** Asks the probe for all imports. @throws ImportCheckError naming the modules that fail and why */
async function importAll(
  lambda: LambdaClient,
  name: string,
  fn: PlannedFunction,
  modules: readonly string[],
): Promise<Probe> {
  const { FunctionError, Payload } = await lambda.send(
    new InvokeCommand({
      FunctionName: name,
      Payload: JSON.stringify({ handler: handlerModule(fn.handler), modules }),
    }),
  );
  const text = Payload?.transformToString() ?? '';
  if (FunctionError)
    throw new ImportCheckError(
      `function ${fn.name}: does not start in Lambda with its layers: ${text.slice(0, 1000)}`,
    );
  const { results, bytes } = answerSchema.parse(JSON.parse(text));
  // Layers of others are not beside it: what only these can bring is not proven here.
  const isExpected = (error: string | null) =>
    fn.foreignLayers > 0 && onlyOthersBring(error ?? '', modules) !== undefined;
  const failed = results.filter(({ kind, error }) => kind === 'import' && !isExpected(error));
  if (failed.length > 0) {
    const list = failed.slice(0, 5).map(({ module, error }) => `${module}: ${error}`);
    throw new ImportCheckError(
      `function ${fn.name}: ${failed.length} of ${results.length} modules do not import in Lambda: ${list.join('; ')}. Add what is missing to requirements.txt.`,
    );
  }
  return {
    function: fn.name,
    modules: results.length,
    ms: results[0]?.ms ?? 0,
    memoryMb: bytes === null ? null : Math.round(bytes / MIB),
    ofMb: fn.memoryMb ?? null,
  };
}

/**
 * Proves, in real Lambda functions that nobody else calls, that every module of every function of ours in a batch and its new
 * layers imports, and within what time and memory. Nothing in production has changed yet. @returns where the probes lie
 * @throws ImportCheckError, BudgetExceededError
 */
export async function probeImports(
  { release, layers, batch }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<Stored> {
  const { lambda, bucket } = clients;
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const validated = await ValidatedArtifacts.read(bucket, release);
  const prefix = temporaryPrefix(clients.pipeline, 'probe');
  const attempt = (fn: PlannedFunction, modules: readonly string[], index: number): Promise<Probe> => {
    const configuration = {
      FunctionName: temporaryName(prefix, release, index === 0 ? fn.name : `${fn.name}/${index}`),
      Description: 'Temporary: proves the imports of a release before it is deployed',
      Role: clients.roleArn,
      Handler: PROBE_HANDLER,
      Layers: layerArns(fn, plan, layers),
      Timeout: PROBE_SECONDS,
      MemorySize: PROBE_MEMORY_MB,
      Environment: { Variables: fn.environment },
    };
    return withTemporaryFunction({ ...clients, validated }, fn, configuration, (name) =>
      importAll(lambda, name, fn, modules),
    );
  };
  const probe = async (fn: PlannedFunction): Promise<Probe> => {
    const modules = await modulesOf(bucket, plan, fn);
    let fastest = await attempt(fn, modules, 0);
    // Each in a function of its own: what is slow once may have had a slow machine.
    for (let index = 1; index < PROBE_ATTEMPTS && isTooSlow(fastest, plan.budgets); index++) {
      const next = await attempt(fn, modules, index);
      if (next.ms < fastest.ms) fastest = next;
    }
    refuseHeavyStart(fastest, plan.budgets);
    return fastest;
  };
  const functions = inBatch(plan.functions, batch).filter((fn) => isOurs(fn) && fn.idle === undefined);
  const probes = await sideBySide(functions, BATCH_SIZE, probe);
  return bucket.store(keys.report(release, 'probes', batch), probes);
}

export const handler = lambdaHandler('ProbeImports', inputSchema, (input) =>
  probeImports(input, {
    lambda: new LambdaClient(PATIENT),
    logs: new CloudWatchLogsClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    roleArn: setting('PROBE_ROLE_ARN'),
    pipeline: setting('PIPELINE_STACK'),
  }),
);
