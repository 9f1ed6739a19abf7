import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { manifestSchema } from '../core/build/manifest.ts';
import { UnsafeArchiveError } from '../core/errors.ts';
import { buildPlanSchema, type PlannedArtifact } from '../core/release/build-plan.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import { readCentralDirectory } from '../core/size/central-directory.ts';
import { checkEntries } from '../core/size/entries.ts';
import { ARTIFACT_LIMITS } from '../core/size/limits.ts';
import { type MeasuredArtifact, refuseOverBudget, type SizeReport, sizeReport } from '../core/size/report.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { type Validated, ValidatedArtifacts } from './lib/validated.ts';

const inputSchema = z.object({ release: releaseSchema });

/** Reads one artifact's central directory and holds it against the limits of any zip and against its own manifest. */
async function measure(
  bucket: ArtifactBucket,
  kind: 'layer' | 'function',
  { name, key }: PlannedArtifact,
): Promise<{ artifact: MeasuredArtifact; zipKey: string; validated: Validated }> {
  const zipKey = keys.zip(kind, name, key);
  const where = `s3://${bucket.name}/${zipKey}`;
  const head = await bucket.head(zipKey);
  if (!head)
    throw new UnsafeArchiveError(`${where} is missing; delete its manifest and start the release anew`);
  const { entries, dataEnd } = await readCentralDirectory(
    where,
    head.bytes,
    bucket.ranges(zipKey, head.versionId),
    ARTIFACT_LIMITS.entries,
  );
  checkEntries(where, entries, dataEnd, ARTIFACT_LIMITS);
  const manifest = await bucket.readJson(keys.manifest(kind, name, key), manifestSchema);
  const promised = new Map(manifest.files);
  const differs = entries.find((entry) => promised.get(entry.fileName) !== entry.uncompressedSize);
  if (differs || promised.size !== entries.length || manifest.zip.bytes !== head.bytes) {
    throw new UnsafeArchiveError(
      `${where} is not what its manifest describes (${differs?.fileName ?? `${entries.length} entries, ${head.bytes} bytes`}); somebody changed it after the build`,
    );
  }
  const files = entries.map((entry) => ({
    path: entry.fileName,
    bytes: entry.uncompressedSize,
    crc32: entry.crc32,
  }));
  const validated = { sha256: manifest.zip.sha256, ...(head.versionId ? { versionId: head.versionId } : {}) };
  return { artifact: { kind, name, zipped: head.bytes, files }, zipKey, validated };
}

/** A list of files may be long, and has to fit into memory. */
const MEASURED_AT_ONCE = 20;

/**
 * Measures every artifact of the release, by S3 ranges alone, and writes the report, and which versions were measured: no
 * others are deployed.
 * @throws BudgetExceededError saying what is too big, by how much, and what takes the space; UnsafeArchiveError
 */
export async function validateSizes(
  { release }: z.output<typeof inputSchema>,
  bucket: ArtifactBucket,
): Promise<SizeReport> {
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const artifacts = [
    ...plan.layers.map((layer) => ['layer', layer] as const),
    ...plan.functions.map((fn) => ['function', fn] as const),
  ];
  const measured = await sideBySide(artifacts, MEASURED_AT_ONCE, ([kind, artifact]) =>
    measure(bucket, kind, artifact),
  );
  const report = sizeReport(
    plan,
    measured.map(({ artifact }) => artifact),
  );
  await bucket.write(keys.sizes(release), JSON.stringify(report));
  refuseOverBudget(report);
  const zips = Object.fromEntries(measured.map(({ zipKey, validated }) => [zipKey, validated]));
  await ValidatedArtifacts.write(bucket, release, zips);
  return report;
}

export const handler = lambdaHandler('ValidateSizes', inputSchema, async (input, { metrics }) => {
  const report = await validateSizes(input, new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')));
  metrics.addDimension('Stack', input.release.stackName);
  metrics.addMetric('ReleaseBytes', MetricUnit.Bytes, report.total);
  return { total: report.total, zipped: report.zipped };
});
