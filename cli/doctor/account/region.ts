import { paginateGetParametersByPath, type SSMClient } from '@aws-sdk/client-ssm';
import type { Check, Finding } from '../check.ts';
import type { Caller } from './caller.ts';

/** What a pipeline and the stacks that it releases are made of, by the names of the public parameters. */
export const NEEDED_SERVICES = [
  'cloudformation',
  'cloudwatch',
  'codebuild',
  'dynamodb',
  'events',
  'iam',
  'lambda',
  'logs',
  's3',
  'sns',
  'sqs',
  'ssm',
  'stepfunctions',
];

/** @param services that the region has; empty where nobody says */
export function judgeServices(region: string, services: readonly string[]): Finding {
  const what = 'Services of the region';
  if (services.length === 0)
    return { what, verdict: 'unknown', found: `no list of the services of ${region}` };
  const missing = NEEDED_SERVICES.filter((name) => !services.includes(name));
  if (missing.length === 0) return { what, verdict: 'ok', found: `all ${NEEDED_SERVICES.length} are there` };
  return {
    what,
    verdict: 'failed',
    found: `${region} has no ${missing.join(', ')}`,
    remedy: 'Use another region: --region REGION',
  };
}

/** AWS lists them in public parameters (Systems Manager user guide, "Calling public parameters for AWS services, Regions, …"). */
export const servicesCheck = (ssm: SSMClient, { region }: Caller): Check => ({
  what: 'Services of the region',
  look: async () => {
    const Path = `/aws/service/global-infrastructure/regions/${region}/services`;
    const services: string[] = [];
    for await (const { Parameters = [] } of paginateGetParametersByPath({ client: ssm }, { Path }))
      services.push(...Parameters.flatMap(({ Value }) => Value ?? []));
    return [judgeServices(region, services)];
  },
});
