import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { buildPlanSchema, type PlannedArtifact } from '../core/release/build-plan.ts';
import { wavesOf } from '../core/release/plan.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({ release: releaseSchema });

/** One artifact to build, or to reuse. */
interface Step {
  name: string;
  key: string;
  reused: boolean;
}

interface Plan {
  /** Layers in dependency order; those of one wave are built side by side. */
  waves: Step[][];
  functions: Step[];
  /** Whether any function has to be built. */
  buildFunctions: boolean;
}

/** Decides what to build: an artifact that lies in the bucket under the same content hash is used again. */
export async function plan({ release }: z.output<typeof inputSchema>, bucket: ArtifactBucket): Promise<Plan> {
  const buildPlan = await bucket.readJson(keys.plan(release), buildPlanSchema);
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
  return { waves, functions, buildFunctions: functions.some(({ reused }) => !reused) };
}

export const handler = lambdaHandler('Plan', inputSchema, (input) =>
  plan(input, new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET'))),
);
