import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { noEchoIn, withoutNames } from '../core/project/no-echo.ts';
import { CALLS_AT_ONCE } from '../core/release/limits.ts';
import { probeSchema } from '../core/release/probe.ts';
import { failureMessage, failureSchema, outcomeSchema } from '../core/release/record.ts';
import { keys, type Release, releaseSchema } from '../core/release/release.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { releaseKey } from '../core/release/table.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  release: releaseSchema,
  outcome: outcomeSchema,
  /** ARN of the execution that ends the release, and holds its lock. */
  execution: z.string(),
  /** ARN of the execution that carried it, where that is another one. */
  deployment: z.string().nullish(),
  failure: failureSchema.nullish(),
  /** Why the stack could not be rolled back. */
  rollbackFailure: failureSchema.nullish(),
  /** null where it did not come that far. */
  snapshot: storedSchema.nullish(),
  /** Bytes of the whole, unzipped and zipped, where it came that far. */
  sizes: z.object({ total: z.int(), zipped: z.int() }).nullish(),
  /** How its functions start, where it came that far. */
  probes: z.array(storedSchema).nullish(),
});

const NO_REASON = { Error: 'Unknown', Cause: 'no reason was given' };

interface Clients {
  dynamodb: DynamoDBClient;
  table: string;
  bucket: ArtifactBucket;
  lock: StackLock;
}

interface Output {
  /** From the start of the execution to now, in ms. */
  ms: number;
  message: string;
}

/** Values that the input gave, for rolling back to this release: not those that its template asks to show to nobody. */
async function parametersToKeep(release: Release, bucket: ArtifactBucket): Promise<string> {
  const hidden = noEchoIn(await bucket.readJson(keys.template(release), z.record(z.string(), z.unknown())));
  return JSON.stringify(withoutNames(release.parameters, hidden));
}

/** An item may have 400 KB (DynamoDB developer guide, "Quotas"); the probes get half of it. */
const MAX_PROBE_BYTES = 200_000;

/** How the functions start, as JSON; of very many functions, the slowest. */
async function probesToKeep(stored: readonly Stored[], bucket: ArtifactBucket): Promise<string> {
  const batches = await sideBySide(stored, CALLS_AT_ONCE, (one) => bucket.load(one, z.array(probeSchema)));
  const all = batches.flat();
  const text = JSON.stringify(all);
  if (Buffer.byteLength(text) <= MAX_PROBE_BYTES) return text;
  const fitting = Math.floor((all.length * MAX_PROBE_BYTES) / Buffer.byteLength(text) / 2);
  return JSON.stringify(all.sort((a, b) => b.ms - a.ms).slice(0, fitting));
}

/**
 * Writes the release's record, pk stack#NAME, sk release#ID, and lets the next release begin; where the stack could not be
 * rolled back, a human has to look first. @throws StackLockedError where another execution rolls the release back
 */
export async function recordRelease(
  input: z.output<typeof inputSchema>,
  { dynamodb, table, bucket, lock }: Clients,
): Promise<Output> {
  const { release, outcome, execution, deployment, failure, rollbackFailure, sizes, probes, snapshot } =
    input;
  // A retry finds that it has given the lock up itself.
  if (await lock.read(release.stackName)) await lock.refuseStopped(release, execution);
  const ms = Date.now() - Date.parse(release.startedAt);
  const message = failure ? failureMessage(failure) : '';
  await dynamodb.send(
    new PutItemCommand({
      TableName: table,
      Item: {
        ...releaseKey(release.stackName, release.id),
        outcome: { S: outcome },
        execution: { S: deployment ?? execution },
        source: { S: JSON.stringify(release.source) },
        ...(outcome === 'RELEASED' ? { parameters: { S: await parametersToKeep(release, bucket) } } : {}),
        ...(snapshot ? { snapshot: { S: snapshot.key }, snapshotSha256: { S: snapshot.sha256 } } : {}),
        startedAt: { S: release.startedAt },
        ms: { N: String(ms) },
        ...(sizes ? { bytes: { N: String(sizes.total) }, zipped: { N: String(sizes.zipped) } } : {}),
        ...(probes ? { probes: { S: await probesToKeep(probes, bucket) } } : {}),
        ...(failure ? { error: { S: failure.Error }, message: { S: message.slice(0, 10_000) } } : {}),
      },
    }),
  );
  if (outcome === 'ROLLBACK_FAILED')
    await lock.keep(release, failureMessage(rollbackFailure ?? failure ?? NO_REASON).slice(0, 2000));
  else await lock.free(release, execution);
  return { ms, message };
}

export const handler = lambdaHandler('RecordRelease', inputSchema, async (input, { metrics }) => {
  const dynamodb = new DynamoDBClient();
  const table = setting('RELEASES_TABLE');
  const lock = StackLock.ofPipeline();
  const bucket = new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET'));
  const output = await recordRelease(input, { dynamodb, table, bucket, lock });
  metrics.addDimension('Stack', input.release.stackName);
  metrics.addMetric(input.outcome === 'RELEASED' ? 'Releases' : 'FailedReleases', MetricUnit.Count, 1);
  metrics.addMetric('ReleaseDuration', MetricUnit.Milliseconds, output.ms);
  return output;
});
