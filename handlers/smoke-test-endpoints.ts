import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { messageOf } from '../core/errors.ts';
import { type BuildPlan, buildPlanSchema } from '../core/release/build-plan.ts';
import { mismatch } from '../core/release/expect.ts';
import { keys, releaseSchema } from '../core/release/release.ts';
import type { SmokeReport } from '../core/release/smoke-report.ts';
import { type ApiStage, stagesOf, stageUrl } from '../core/release/stack-resources.ts';
import type { Stored } from '../core/release/stored.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { lambdaHandler, setting } from './lib/handler.ts';
import { PATIENT } from './lib/patience.ts';
import { sideBySide } from './lib/side-by-side.ts';
import { fail, parsed, timed } from './lib/smoke-event.ts';
import { allStackResources } from './lib/stack.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  cloudformation: CloudFormationClient;
  bucket: ArtifactBucket;
  region: string;
}

/** So many endpoints are asked at once: the 50 that plimsoll.yaml may name take less than 15 minutes though none answers. */
const ENDPOINTS_AT_ONCE = 25;
type Endpoint = BuildPlan['endpoints'][number];
const ENDPOINT_TIMEOUT_MS = 35_000;
/** A new stage answers 403 or 404 until API Gateway has spread it; looks in all, and ms between two. */
const ENDPOINT_ATTEMPTS = 5;
const ENDPOINT_PAUSE_MS = 1000;
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

/**
 * Asks each endpoint of the deployed APIs. @returns where the report lies
 * @throws SmokeTestFailedError naming the endpoint, what came back and what was expected
 */
export async function smokeTestEndpoints(
  { release }: z.output<typeof inputSchema>,
  { cloudformation, bucket, region }: Clients,
): Promise<Stored> {
  const plan = await bucket.readJson(keys.plan(release), buildPlanSchema);
  const resources =
    plan.endpoints.length > 0 ? await allStackResources(cloudformation, release.stackName) : [];
  const stages = stagesOf(resources);
  const passed = await sideBySide(plan.endpoints, ENDPOINTS_AT_ONCE, (endpoint) => {
    const check = `GET ${endpoint.get}`;
    const url = stageUrl(stageOf(endpoint, stages, check), region, endpoint.get);
    return timed(check, () => checkEndpoint(endpoint, url, check));
  });
  const report: SmokeReport = { passed };
  return bucket.store(keys.report(release, 'endpoints'), report);
}

export const handler = lambdaHandler('SmokeTestEndpoints', inputSchema, (input) =>
  smokeTestEndpoints(input, {
    cloudformation: new CloudFormationClient(PATIENT),
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    region: setting('AWS_REGION'),
  }),
);
