import {
  DeleteStackCommand,
  paginateDescribeStackEvents,
  paginateDescribeStacks,
  waitUntilStackDeleteComplete,
} from '@aws-sdk/client-cloudformation';
import {
  DeleteAlarmsCommand,
  DeleteDashboardsCommand,
  GetDashboardCommand,
  paginateDescribeAlarms,
} from '@aws-sdk/client-cloudwatch';
import { DeleteLogGroupCommand, paginateDescribeLogGroups } from '@aws-sdk/client-cloudwatch-logs';
import { paginateListProjects } from '@aws-sdk/client-codebuild';
import { paginateListRoles } from '@aws-sdk/client-iam';
import {
  DeleteFunctionCommand,
  DeleteLayerVersionCommand,
  paginateListFunctions,
  paginateListLayers,
  paginateListLayerVersions,
} from '@aws-sdk/client-lambda';
import { paginateListStateMachines } from '@aws-sdk/client-sfn';
import { paginateListTopics } from '@aws-sdk/client-sns';
import { DeleteQueueCommand, paginateListQueues } from '@aws-sdk/client-sqs';
import { dashboardName } from '../../core/release/observability.ts';
import type { Clients } from './clients.ts';
import type { Kind } from './kind.ts';
import { belongsTo, exampleStackOf } from './name.ts';
import { buckets, tables } from './storage.ts';

const lastPart = (arn: string): string => arn.split(':').at(-1) ?? '';

/** Reads a list to its last page. */
async function all<Page>(pages: AsyncIterable<Page>, of: (page: Page) => (string | undefined)[]) {
  const found: string[] = [];
  for await (const page of pages) found.push(...of(page).flatMap((one) => one ?? []));
  return found;
}

/** The longest deletions wait for the network interfaces of functions, up to 40 minutes. */
const STACK_SECONDS = 3600;

/** Deletes a stack and waits. @throws Error with the reasons of CloudFormation */
async function deleteStack({ cloudformation: client }: Clients, StackName: string): Promise<void> {
  await client.send(new DeleteStackCommand({ StackName }));
  try {
    const wait = { client, maxWaitTime: STACK_SECONDS, minDelay: 1, maxDelay: 10 };
    await waitUntilStackDeleteComplete(wait, { StackName });
  } catch (error) {
    const reasons: string[] = [];
    for await (const { StackEvents = [] } of paginateDescribeStackEvents({ client }, { StackName }))
      for (const { ResourceStatus, LogicalResourceId, ResourceStatusReason } of StackEvents)
        if (ResourceStatus === 'DELETE_FAILED') reasons.push(`${LogicalResourceId}: ${ResourceStatusReason}`);
    throw reasons.length > 0 ? new Error(`${StackName}: ${reasons.slice(0, 3).join('; ')}`) : error;
  }
}

/** The two stacks, the example's first: the pipeline's role deletes it. */
const stacks = (clients: Clients): Kind => ({
  what: 'stacks',
  list: async (name) => {
    const found = await all(
      paginateDescribeStacks({ client: clients.cloudformation }, {}),
      ({ Stacks = [] }) =>
        // The parent deletes what it nests.
        Stacks.filter(({ ParentId }) => !ParentId).map(({ StackName }) => StackName),
    );
    return found
      .filter((one) => belongsTo(name, one))
      .sort((one, other) => Number(one === name) - Number(other === name));
  },
  remove: (id) => deleteStack(clients, id),
});

const functions = ({ lambda: client }: Clients): Kind => ({
  what: 'functions',
  list: async (name) => {
    const found = await all(paginateListFunctions({ client }, {}), ({ Functions = [] }) =>
      Functions.map(({ FunctionName }) => FunctionName),
    );
    return found.filter((one) => belongsTo(name, one));
  },
  remove: async (FunctionName) => {
    await client.send(new DeleteFunctionCommand({ FunctionName }));
  },
});

const layers = ({ lambda: client }: Clients): Kind => ({
  what: 'layers',
  list: async (name) => {
    const found = await all(paginateListLayers({ client }, {}), ({ Layers = [] }) =>
      Layers.map(({ LayerName }) => LayerName),
    );
    return found.filter((one) => belongsTo(name, one));
  },
  remove: async (LayerName) => {
    const pages = paginateListLayerVersions({ client }, { LayerName });
    const versions = await all(pages, ({ LayerVersions = [] }) =>
      LayerVersions.map(({ Version }) => String(Version)),
    );
    for (const version of versions)
      await client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber: Number(version) }));
  },
});

/** Lambda and CodeBuild name a log group after what writes it: /aws/lambda/NAME-… */
const logGroups = ({ logs: client }: Clients): Kind => ({
  what: 'log groups',
  list: async (name) => {
    // A pattern knows upper from lower case.
    const found = await Promise.all(
      [name, name.toLowerCase()].map((logGroupNamePattern) =>
        all(paginateDescribeLogGroups({ client }, { logGroupNamePattern }), ({ logGroups: groups = [] }) =>
          groups.map(({ logGroupName }) => logGroupName),
        ),
      ),
    );
    const groups = [...new Set(found.flat())];
    return groups.filter((group) => group.split('/').some((part) => belongsTo(name, part)));
  },
  remove: async (logGroupName) => {
    await client.send(new DeleteLogGroupCommand({ logGroupName }));
  },
});

const alarms = ({ cloudwatch: client }: Clients): Kind => ({
  what: 'alarms',
  list: (name) =>
    all(
      paginateDescribeAlarms({ client }, { AlarmNamePrefix: exampleStackOf(name) }),
      ({ MetricAlarms = [] }) => MetricAlarms.map(({ AlarmName }) => AlarmName),
    ),
  remove: async (AlarmName) => {
    await client.send(new DeleteAlarmsCommand({ AlarmNames: [AlarmName] }));
  },
});

/** The one that the pipeline makes for the example. */
const dashboards = ({ cloudwatch: client }: Clients): Kind => ({
  what: 'dashboards',
  list: async (name) => {
    const DashboardName = dashboardName(name, exampleStackOf(name));
    try {
      await client.send(new GetDashboardCommand({ DashboardName }));
      return [DashboardName];
    } catch (error) {
      // By the name of its model, or by the code of its query protocol (CloudWatch API reference, GetDashboard).
      const names = ['DashboardNotFoundError', 'ResourceNotFound'];
      if (error instanceof Error && names.includes(error.name)) return [];
      throw error;
    }
  },
  remove: async (DashboardName) => {
    await client.send(new DeleteDashboardsCommand({ DashboardNames: [DashboardName] }));
  },
});

const queues = ({ sqs: client }: Clients): Kind => ({
  what: 'queues',
  list: (name) =>
    all(paginateListQueues({ client }, { QueueNamePrefix: `${name}-` }), ({ QueueUrls = [] }) => QueueUrls),
  remove: async (QueueUrl) => {
    await client.send(new DeleteQueueCommand({ QueueUrl }));
  },
});

/** What stands in a stack and nowhere else. It is looked for all the same, since that is the proof. */
const ofStacks = ({ codebuild, iam, sfn, sns }: Clients): Kind[] => [
  {
    what: 'state machines',
    list: async (name) => {
      const pages = paginateListStateMachines({ client: sfn }, {});
      const found = await all(pages, ({ stateMachines = [] }) => stateMachines.map((one) => one.name));
      return found.filter((one) => belongsTo(name, one));
    },
  },
  {
    what: 'build projects',
    list: async (name) => {
      const found = await all(
        paginateListProjects({ client: codebuild }, {}),
        ({ projects = [] }) => projects,
      );
      return found.filter((one) => belongsTo(name, one));
    },
  },
  {
    what: 'roles',
    list: async (name) => {
      const found = await all(paginateListRoles({ client: iam }, {}), ({ Roles = [] }) =>
        Roles.map(({ RoleName }) => RoleName),
      );
      return found.filter((one) => belongsTo(name, one));
    },
  },
  {
    what: 'topics',
    list: async (name) => {
      const found = await all(paginateListTopics({ client: sns }, {}), ({ Topics = [] }) =>
        Topics.map(({ TopicArn }) => lastPart(TopicArn ?? '')),
      );
      return found.filter((one) => belongsTo(name, one));
    },
  },
];

/** In the order in which they are removed: first what makes others. */
export const kindsOf = (clients: Clients): Kind[] => [
  stacks(clients),
  functions(clients),
  layers(clients),
  alarms(clients),
  dashboards(clients),
  queues(clients),
  buckets(clients),
  tables(clients),
  logGroups(clients),
  ...ofStacks(clients),
];
