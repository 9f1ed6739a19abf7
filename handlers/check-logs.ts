import { setTimeout as sleep } from 'node:timers/promises';
import {
  CloudWatchLogsClient,
  paginateFilterLogEvents,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudwatch-logs';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { CALLS_AT_ONCE } from '../core/release/limits.ts';
import { errorLines, isReport, LOG_ERROR_PATTERN } from '../core/release/log-errors.ts';
import { type SmokeReport, smokeReportSchema } from '../core/release/smoke-report.ts';
import { type Stored, storedSchema } from '../core/release/stored.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { fail, timed } from './lib/smoke-event.ts';

const inputSchema = z.object({
  /** What the smoke tests of a batch of functions have shown. */
  smoke: storedSchema,
  /** ISO time from which on an error in the logs counts. */
  since: z.iso.datetime(),
});

interface Clients {
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
}

/** So long the log of a call is waited for; a function may log elsewhere, so its absence is no failure. */
const LOG_ATTEMPTS = 10;
const LOG_PAUSE_MS = 2000;

/** So many errors are enough to say that there are many. */
const ERRORS_COUNTED = 100;

/** Waits until the log of the last call is there: CloudWatch Logs takes in what functions write some seconds later. */
async function awaitLog(
  logs: CloudWatchLogsClient,
  logGroupName: string,
  requestId: string,
  since: Date,
): Promise<void> {
  const request = { logGroupName, startTime: since.getTime(), filterPattern: `"${requestId}"` };
  for (let attempt = 0; attempt < LOG_ATTEMPTS; attempt += 1) {
    for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, request))
      if (events.some(({ message = '' }) => isReport(message))) return;
    await sleep(LOG_PAUSE_MS);
  }
}

/** @throws SmokeTestFailedError when the function has logged an error since */
async function checkLog(
  logs: CloudWatchLogsClient,
  name: string,
  check: string,
  since: Date,
  lastRequest: string | undefined,
): Promise<void> {
  const logGroupName = `/aws/lambda/${name}`;
  try {
    if (lastRequest !== undefined) await awaitLog(logs, logGroupName, lastRequest, since);
    const request = { logGroupName, startTime: since.getTime(), filterPattern: LOG_ERROR_PATTERN };
    const errors: string[] = [];
    // A page may be empty though later ones are not (CloudWatch Logs API reference, FilterLogEvents).
    for await (const { events = [] } of paginateFilterLogEvents({ client: logs }, request)) {
      errors.push(...events.flatMap(({ message = '' }) => errorLines(message)));
      if (errors.length >= ERRORS_COUNTED) break;
    }
    if (errors[0] !== undefined)
      fail(check, `${errors.length} errors since the deployment, the first: ${errors[0].slice(0, 500)}`);
  } catch (error) {
    // A function that was never called has no log group yet.
    if (!(error instanceof ResourceNotFoundException)) throw error;
  }
}

/**
 * Looks through the logs of a batch of functions once their smoke tests have passed. @returns where the report lies
 * @throws SmokeTestFailedError naming the function and its first error
 */
export async function checkLogs(
  { smoke, since }: z.output<typeof inputSchema>,
  { logs, bucket }: Clients,
): Promise<Stored> {
  const { called } = await bucket.load(smoke, smokeReportSchema);
  const passed = await sideBySide(called, CALLS_AT_ONCE, ({ function: logicalId, name, lastRequest }) => {
    const check = `log of ${logicalId}`;
    return timed(check, () => checkLog(logs, name, check, new Date(since), lastRequest));
  });
  const report: SmokeReport = { passed };
  return bucket.store(smoke.key.replace(/\.json$/, '-logs.json'), report);
}

export const handler = lambdaHandler('CheckLogs', inputSchema, (input) =>
  checkLogs(input, {
    logs: new CloudWatchLogsClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
  }),
);
