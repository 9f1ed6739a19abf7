import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { BuildFailedError } from '../core/errors.ts';
import { projectDecisionsSchema } from '../core/optimise/decisions.ts';
import { type BuildPlan, buildPlanSchema, type PlannedArtifact } from '../core/release/build-plan.ts';
import { isDecided, wavesOf, withDecisions } from '../core/release/plan.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** Whether the optimiser has run for this release already. */
  optimised: z.boolean(),
});

/** One artifact to build, or to reuse. */
interface Step {
  name: string;
  key: string;
  reused: boolean;
}

interface Plan {
  /** Whether the optimiser has to decide first; then there is nothing to build yet. */
  optimise: boolean;
  /** Layers in dependency order; those of one wave are built side by side. */
  waves: Step[][];
  functions: Step[];
  /** Whether any function has to be built. */
  buildFunctions: boolean;
}

/**
 * The plan with the optimiser's decisions, which lie in the bucket when nothing that they follow from has changed.
 * @returns undefined where they do not
 */
async function decidedPlan(release: Release, bucket: ArtifactBucket): Promise<BuildPlan | undefined> {
  const found = await bucket.readJson(keys.plan(release), buildPlanSchema);
  if (isDecided(found)) return found;
  const key = keys.decisions(found.decisionsKey);
  if (!(await bucket.head(key))) return undefined;
  const decided = withDecisions(found, await bucket.readJson(key, projectDecisionsSchema));
  await bucket.write(keys.plan(release), JSON.stringify(decided));
  return decided;
}

/** Decides what to build: an artifact that lies in the bucket under the same content hash is used again. */
export async function plan(
  { release, optimised }: z.output<typeof inputSchema>,
  bucket: ArtifactBucket,
): Promise<Plan> {
  const buildPlan = await decidedPlan(release, bucket);
  if (!buildPlan) {
    if (optimised)
      throw new BuildFailedError('the optimiser ended without its decisions; see the log of its build');
    return { optimise: true, waves: [], functions: [], buildFunctions: false };
  }
  // The manifest is written last, so its presence says that the artifact is whole.
  const step = async (kind: 'layer' | 'function', { name, key }: PlannedArtifact): Promise<Step> => ({
    name,
    key,
    reused: (await bucket.head(keys.manifest(kind, name, key))) !== undefined,
  });
  const waves = await Promise.all(
    wavesOf(buildPlan.layers).map((wave) => Promise.all(wave.map((layer) => step('layer', layer)))),
  );
  const functions = await Promise.all(buildPlan.functions.map((fn) => step('function', fn)));
  return { optimise: false, waves, functions, buildFunctions: functions.some(({ reused }) => !reused) };
}

export const handler = lambdaHandler('Plan', inputSchema, (input) =>
  plan(input, new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET'))),
);
