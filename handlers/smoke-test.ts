import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { buildPlanSchema } from '../core/release/build-plan.ts';
import { type Held, heldSchema } from '../core/release/hold.ts';
import { BATCH_SIZE, inBatch } from '../core/release/limits.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import type { SmokeReport } from '../core/release/smoke-report.ts';
import { aliasesIn, functionsOf, type StackResource, versionsOf } from '../core/release/stack-resources.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { callWithEvents, fail, type Target } from './lib/smoke-event.ts';
import { allStackResources } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  batch: z.int().min(0),
  /** The aliases that are held: then only their functions' new versions are called, by number. @default what is live */
  held: storedSchema.optional(),
});

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  bucket: ArtifactBucket;
}

/** What of each function is called: the new version where its alias is held, else what production calls. */
function targetsOf(resources: readonly StackResource[], held: readonly Held[]): Map<string, Target> {
  const aliases = aliasesIn(resources);
  const versions = versionsOf(resources);
  const heldVersion = new Map(held.map((one) => [one.function, one.version]));
  return new Map(
    [...functionsOf(resources)].map(([logicalId, name]) => {
      const version = versions.get(heldVersion.get(logicalId) ?? '');
      const alias = aliases.find(({ functionName }) => functionName === name)?.name;
      return [logicalId, { name, qualifier: version ?? alias }];
    }),
  );
}

/**
 * Runs the smoke events of a batch of the release's functions, side by side. @returns where the report lies, which tells whose
 * logs are to be looked at
 * @throws SmokeTestFailedError naming the check, what came back and what was expected
 */
export async function smokeTest(
  { release, batch, held: stored }: z.output<typeof inputSchema>,
  { cloudformation, lambda, bucket }: Clients,
): Promise<Stored> {
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const held = stored && (await bucket.load(stored, z.array(heldSchema)));
  const heldFunctions = held && new Set(held.map((one) => one.function));
  const functions = inBatch(plan.functions, batch).filter(
    ({ logicalId, idle }) =>
      idle === undefined && (heldFunctions === undefined || heldFunctions.has(logicalId)),
  );
  const resources = functions.length > 0 ? await allStackResources(cloudformation, release.stackName) : [];
  const targets = targetsOf(resources, held ?? []);
  const results = await sideBySide(functions, BATCH_SIZE, async (fn) => {
    const target = targets.get(fn.logicalId);
    if (target === undefined) {
      if (fn.smoke[0])
        fail(
          `smoke event ${fn.smoke[0].name} of ${fn.logicalId}`,
          `the stack has no function ${fn.logicalId}`,
        );
      return { passed: [], called: [] };
    }
    const { passed, lastRequest } = await callWithEvents(lambda, target, fn);
    return { passed, called: [{ function: fn.logicalId, name: target.name, lastRequest }] };
  });
  const report: SmokeReport = {
    passed: results.flatMap(({ passed }) => passed),
    called: results.flatMap(({ called }) => called),
  };
  return bucket.store(keys.report(release, held ? 'smoke-held' : 'smoke', batch), report);
}

export const handler = lambdaHandler('SmokeTest', inputSchema, (input) =>
  smokeTest(input, {
    cloudformation: new CloudFormationClient(PATIENT),
    lambda: new LambdaClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
