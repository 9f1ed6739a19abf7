import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import {
  CloudWatchLogsClient,
  paginateFilterLogEvents,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudwatch-logs';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { messageOf } from '../core/errors.ts';
import { type BuildPlan, buildPlanSchema } from '../core/release/build-plan.ts';
import { mismatch } from '../core/release/expect.ts';
import { type Held, heldSchema } from '../core/release/hold.ts';
import { errorLines, isReport, LOG_ERROR_PATTERN } from '../core/release/log-errors.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import {
  type ApiStage,
  aliasesIn,
  functionsOf,
  type StackResource,
  stagesOf,
  stageUrl,
  versionsOf,
} from '../core/release/stack-resources.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { callWithEvent, fail, type Passed, parsed, type Target, timed } from './lib/smoke-event.ts';
import { allStackResources } from './lib/stack.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ISO time from which on an error in the logs counts. */
  since: z.iso.datetime(),
  /** Aliases that are held: then only their functions' new versions are called, by number. @default what is live */
  held: z.array(heldSchema).default([]),
});

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  logs: CloudWatchLogsClient;
  bucket: ArtifactBucket;
  region: string;
}

type Endpoint = BuildPlan['endpoints'][number];
const ENDPOINT_TIMEOUT_MS = 35_000;
/** A new stage answers 403 or 404 until API Gateway has spread it; looks in all, and ms between two. */
const ENDPOINT_ATTEMPTS = 5;
const ENDPOINT_PAUSE_MS = 1000;
/** So long the log of a call is waited for; a function may log elsewhere, so its absence is no failure. */
const LOG_ATTEMPTS = 20;
const LOG_PAUSE_MS = 1000;

async function get(url: string): Promise<{ status: number; text: string }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(ENDPOINT_TIMEOUT_MS) });
      const text = await response.text();
      const spreading = response.status === 403 || response.status === 404;
      if (!spreading || attempt === ENDPOINT_ATTEMPTS) return { status: response.status, text };
    } catch (error) {
      if (attempt === ENDPOINT_ATTEMPTS) return { status: 0, text: `no answer: ${messageOf(error)}` };
    }
    await sleep(ENDPOINT_PAUSE_MS);
  }
}

function stageOf(endpoint: Endpoint, stages: readonly ApiStage[], check: string): ApiStage {
  // An API of a nested stack is named STACK.API; unless one is named, the project's own come first.
  const own = stages.filter(({ api }) => !api.includes('.'));
  const unnamed = own.length > 0 ? own : stages;
  const found = endpoint.api === undefined ? unnamed : stages.filter(({ api }) => api === endpoint.api);
  if (found[0] && found.length === 1) return found[0];
  const known = stages.map(({ api, stage }) => `${api} (${stage ?? '$default'})`).join(', ') || 'none';
  return fail(
    check,
    `${found.length} stages fit, need one; plimsoll.yaml: smoke.endpoints.api names it; the stack has ${known}`,
  );
}

async function checkEndpoint(endpoint: Endpoint, url: string, check: string): Promise<void> {
  const { status, text } = await get(url);
  if (status !== endpoint.status)
    fail(check, `${url} answered ${status}, expected ${endpoint.status}: ${text.slice(0, 500)}`);
  const problem = endpoint.body === undefined ? undefined : mismatch(parsed(text), endpoint.body);
  if (problem) fail(check, `${url}: ${problem}`);
}

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

/** What of each function is called: the new version where its alias is held, else what production calls. */
function targetsOf(resources: readonly StackResource[], held: readonly Held[]): Map<string, Target> {
  const aliases = aliasesIn(resources);
  const versions = versionsOf(resources);
  return new Map(
    [...functionsOf(resources)].map(([logicalId, name]) => {
      const version = versions.get(held.find((one) => one.function === logicalId)?.version ?? '');
      const alias = aliases.find(({ functionName }) => functionName === name)?.name;
      return [logicalId, { name, qualifier: version ?? alias }];
    }),
  );
}

/**
 * Runs the release's smoke tests: each smoke event, each endpoint, then the logs. While aliases are held, only the events
 * of their functions: endpoints still lead to the old versions.
 * @throws SmokeTestFailedError naming the check, what came back and what was expected
 */
export async function smokeTest(
  { release, since, held }: z.output<typeof inputSchema>,
  clients: Clients,
): Promise<{ passed: Passed[] }> {
  const { cloudformation, lambda, logs, bucket, region } = clients;
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const resources = await allStackResources(cloudformation, release.stackName);
  const targets = targetsOf(resources, held);
  const functions = plan.functions.filter(
    ({ logicalId }) => held.length === 0 || held.some((one) => one.function === logicalId),
  );
  const stages = stagesOf(resources);
  const passed: Passed[] = [];
  const lastRequests = new Map<string, string | undefined>();
  for (const fn of functions) {
    for (const event of fn.smoke) {
      const check = `smoke event ${event.name} of ${fn.logicalId}`;
      const target = targets.get(fn.logicalId) ?? fail(check, `the stack has no function ${fn.logicalId}`);
      const call = async () => {
        lastRequests.set(target.name, await callWithEvent(lambda, target, check, event));
      };
      passed.push(await timed(check, call));
    }
  }
  for (const endpoint of held.length === 0 ? plan.endpoints : []) {
    const check = `GET ${endpoint.get}`;
    const url = stageUrl(stageOf(endpoint, stages, check), region, endpoint.get);
    passed.push(await timed(check, () => checkEndpoint(endpoint, url, check)));
  }
  for (const fn of functions) {
    const name = targets.get(fn.logicalId)?.name;
    const check = `log of ${fn.logicalId}`;
    if (!name) continue;
    const last = lastRequests.get(name);
    passed.push(await timed(check, () => checkLog(logs, name, check, new Date(since), last)));
  }
  return { passed };
}

export const handler = lambdaHandler('SmokeTest', inputSchema, (input) =>
  smokeTest(input, {
    cloudformation: new CloudFormationClient(),
    lambda: new LambdaClient(),
    logs: new CloudWatchLogsClient(),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    region: setting('AWS_REGION'),
  }),
);
