import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { failureClass } from '../core/error-names.ts';
import { BuildFailedError } from '../core/errors.ts';
import { buildFailureSchema, keys, releaseSchema } from '../core/release/release.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** The build's name: resolve, layer-NAME or functions. */
  step: z.string(),
  error: z.object({ Error: z.string().optional(), Cause: z.string().optional() }),
});

const buildSchema = z.object({
  Build: z.object({
    BuildStatus: z.string(),
    CurrentPhase: z.string().optional(),
    Logs: z
      .object({
        GroupName: z.string().optional(),
        StreamName: z.string().optional(),
        DeepLink: z.string().optional(),
      })
      .optional(),
  }),
});

/** What the build's record says where the build itself could say nothing: it was stopped, timed out, or never began. */
function fromRecord(step: string, cause: string): string {
  let record: unknown;
  try {
    record = JSON.parse(cause);
  } catch {
    return `build ${step} did not run: ${cause.slice(0, 1000)}`;
  }
  const parsed = buildSchema.safeParse(record);
  if (!parsed.success) return `build ${step} did not run: ${cause.slice(0, 1000)}`;
  const { BuildStatus, Logs } = parsed.data.Build;
  const log =
    Logs?.DeepLink ?? `log group ${Logs?.GroupName ?? 'unknown'}, stream ${Logs?.StreamName ?? 'unknown'}`;
  return `build ${step} ended ${BuildStatus}; its log says why: ${log}`;
}

/** Fails under the name, and with the message, that the build left: CodeBuild itself only says that it failed. */
export async function explainBuildFailure(
  { release, step, error }: z.output<typeof inputSchema>,
  bucket: ArtifactBucket,
): Promise<never> {
  const key = keys.failure(release, step);
  if (await bucket.head(key)) {
    const { name, message } = await bucket.readJson(key, buildFailureSchema);
    const Named = failureClass(name);
    throw Named ? new Named(message) : new BuildFailedError(`build ${step}: ${name}: ${message}`);
  }
  throw new BuildFailedError(fromRecord(step, error.Cause ?? error.Error ?? ''));
}

export const handler = lambdaHandler('ExplainBuildFailure', inputSchema, (input) =>
  explainBuildFailure(input, new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET'))),
);
