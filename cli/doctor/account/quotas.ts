import { type CloudFormationClient, paginateDescribeAccountLimits } from '@aws-sdk/client-cloudformation';
import { GetAccountSettingsCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { paginateListServiceQuotas, type ServiceQuotasClient } from '@aws-sdk/client-service-quotas';
import type { Check, Finding } from '../check.ts';

const GB = 1_000_000_000;
const increase = (service: string): string =>
  `Ask for a higher quota: https://console.aws.amazon.com/servicequotas/home/services/${service}/quotas`;

/** Bytes that a few releases of large layers take: each keeps its versions until no release needs them. */
const ROOM = 2 * GB;

/** @param used in bytes, of all code in the region @param limit likewise; the default is 75 GB (Lambda quotas) */
export function judgeCodeStorage(used: number, limit: number): Finding {
  const found = `${(used / GB).toFixed(1)} of ${(limit / GB).toFixed(1)} GB used`;
  const what = 'Lambda code storage';
  const left = limit - used;
  if (left >= ROOM) return { what, verdict: 'ok', found };
  const verdict = left < ROOM / 10 ? 'failed' : 'warning';
  return { what, verdict, found, remedy: `Delete old versions and layers, or: ${increase('lambda')}` };
}

/** The default is 1,000; new accounts begin with 10 (Lambda quotas: "New AWS accounts have reduced concurrency"). */
export function judgeConcurrency(limit: number, unreserved: number): Finding {
  const what = 'Lambda concurrency';
  const found = `${unreserved} of ${limit} unreserved`;
  if (unreserved >= 100) return { what, verdict: 'ok', found };
  return { what, verdict: unreserved < 5 ? 'failed' : 'warning', found, remedy: increase('lambda') };
}

export const lambdaCheck = (lambda: LambdaClient): Check => ({
  what: 'Lambda quotas',
  look: async () => {
    const { AccountLimit = {}, AccountUsage = {} } = await lambda.send(new GetAccountSettingsCommand({}));
    const { ConcurrentExecutions = 0, UnreservedConcurrentExecutions, TotalCodeSize = 0 } = AccountLimit;
    return [
      judgeCodeStorage(AccountUsage.TotalCodeSize ?? 0, TotalCodeSize),
      judgeConcurrency(ConcurrentExecutions, UnreservedConcurrentExecutions ?? ConcurrentExecutions),
    ];
  },
});

/** Layers are built side by side; with one build at a time a release takes longer, and with none it cannot start. */
export function judgeBuilds(limit: number | undefined): Finding {
  const what = 'CodeBuild builds at once';
  if (limit === undefined) return { what, verdict: 'unknown', found: 'Service Quotas does not say' };
  const remedy = increase('codebuild');
  if (limit < 1)
    return { what, verdict: 'failed', found: `${limit}: this account may not build yet`, remedy };
  return limit < 3
    ? { what, verdict: 'warning', found: `${limit}: builds wait for each other`, remedy }
    : { what, verdict: 'ok', found: String(limit) };
}

/** A released function gets three alarms. @param limit the default is 5,000 (CloudWatch service quotas) */
export function judgeAlarms(limit: number | undefined): Finding {
  const what = 'CloudWatch alarms';
  if (limit === undefined) return { what, verdict: 'unknown', found: 'Service Quotas does not say' };
  return limit < 100
    ? { what, verdict: 'warning', found: String(limit), remedy: increase('monitoring') }
    : { what, verdict: 'ok', found: `at most ${limit}` };
}

/** A quota by its name, in force in this account. */
async function quota(
  quotas: ServiceQuotasClient,
  ServiceCode: string,
  name: RegExp,
): Promise<number | undefined> {
  for await (const { Quotas = [] } of paginateListServiceQuotas({ client: quotas }, { ServiceCode })) {
    const found = Quotas.find(({ QuotaName = '' }) => name.test(QuotaName));
    if (found) return found.Value;
  }
  return undefined;
}

/** The builds run on Linux, medium: infra/builds.ts. */
export const buildsCheck = (quotas: ServiceQuotasClient): Check => ({
  what: 'CodeBuild builds at once',
  look: async () => [
    judgeBuilds(await quota(quotas, 'codebuild', /^Concurrently running builds for Linux\/Medium env/i)),
  ],
});

export const alarmsCheck = (quotas: ServiceQuotasClient): Check => ({
  what: 'CloudWatch alarms',
  look: async () => [judgeAlarms(await quota(quotas, 'monitoring', /^Number of alarms|^Alarms$/i))],
});

export function judgeStacks(limit: number | undefined): Finding {
  const what = 'CloudFormation stacks';
  if (limit === undefined)
    return { what, verdict: 'unknown', found: 'CloudFormation does not say how many it allows' };
  return limit < 10
    ? { what, verdict: 'warning', found: `at most ${limit}`, remedy: increase('cloudformation') }
    : { what, verdict: 'ok', found: `at most ${limit}` };
}

export const stacksCheck = (client: CloudFormationClient): Check => ({
  what: 'CloudFormation stacks',
  look: async () => {
    for await (const { AccountLimits = [] } of paginateDescribeAccountLimits({ client }, {})) {
      const found = AccountLimits.find(({ Name }) => Name === 'StackLimit');
      if (found) return [judgeStacks(found.Value)];
    }
    return [judgeStacks(undefined)];
  },
});
