import {
  DescribeStacksCommand,
  GetTemplateCommand,
  paginateListStackResources,
} from '@aws-sdk/client-cloudformation';
import { paginateDescribeAlarms } from '@aws-sdk/client-cloudwatch';
import { GetAliasCommand } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { aliasesIn, type StackResource } from '../../core/release/stack-resources.ts';
import type { Clients } from './clients.ts';

/** What an acceptance looks at, read from AWS itself and not from what the pipeline says. */

export async function outputsOf(
  { cloudformation }: Clients,
  StackName: string,
): Promise<Record<string, string>> {
  const { Stacks = [] } = await cloudformation.send(new DescribeStacksCommand({ StackName }));
  return Object.fromEntries(
    (Stacks[0]?.Outputs ?? []).map(({ OutputKey = '', OutputValue = '' }) => [OutputKey, OutputValue]),
  );
}

async function resourcesOf({ cloudformation: client }: Clients, StackName: string): Promise<StackResource[]> {
  const found: StackResource[] = [];
  for await (const { StackResourceSummaries = [] } of paginateListStackResources({ client }, { StackName }))
    for (const { LogicalResourceId, PhysicalResourceId, ResourceType } of StackResourceSummaries)
      found.push({
        logicalId: LogicalResourceId ?? '',
        physicalId: PhysicalResourceId ?? '',
        type: ResourceType ?? '',
      });
  return found;
}

/** What runs: the version behind each alias of the stack's functions, and the stack's template. */
export async function runningNow(clients: Clients, stackName: string): Promise<Record<string, string>> {
  const { TemplateBody = '' } = await clients.cloudformation.send(
    new GetTemplateCommand({ StackName: stackName, TemplateStage: 'Original' }),
  );
  const aliases = aliasesIn(await resourcesOf(clients, stackName));
  const versions = await Promise.all(
    aliases.map(async ({ logicalId, functionName, name }) => {
      const { FunctionVersion = '' } = await clients.lambda.send(
        new GetAliasCommand({ FunctionName: functionName, Name: name }),
      );
      return [logicalId, FunctionVersion] as const;
    }),
  );
  return { ...Object.fromEntries(versions), template: TemplateBody };
}

/** An alarm of the example's functions, and where it tells of itself. */
export interface Alarm {
  name: string;
  actions: string[];
}

export async function alarmsOf({ cloudwatch: client }: Clients, stackName: string): Promise<Alarm[]> {
  const found: Alarm[] = [];
  for await (const { MetricAlarms = [] } of paginateDescribeAlarms(
    { client },
    { AlarmNamePrefix: `${stackName}-` },
  ))
    for (const { AlarmName = '', AlarmActions = [] } of MetricAlarms)
      found.push({ name: AlarmName, actions: AlarmActions });
  return found;
}

const templateSchema = z.object({
  Resources: z.record(
    z.string(),
    z.object({ Properties: z.looseObject({ ScheduleExpression: z.string().optional() }).optional() }),
  ),
});

/** Schedules of the pipeline itself, such as a nightly one, by its template. */
export async function schedulesIn({ cloudformation }: Clients, pipeline: string): Promise<string[]> {
  const { TemplateBody = '{}' } = await cloudformation.send(
    new GetTemplateCommand({ StackName: pipeline, TemplateStage: 'Processed' }),
  );
  const parsed = templateSchema.safeParse(JSON.parse(TemplateBody));
  if (!parsed.success) return [];
  return Object.values(parsed.data.Resources).flatMap(
    ({ Properties }) => Properties?.ScheduleExpression ?? [],
  );
}
