import { Aws, Duration, Stack } from 'aws-cdk-lib';
import { Role as IamRole, type Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import { LAMBDA_SECONDS } from '../core/release/limits.ts';
import { temporaryPrefix } from '../core/release/pipeline-name.ts';
import { ANY_ROLE, own } from './arns.ts';
import type { Builds } from './builds.ts';
import { grant, HandlerFunction, type HandlerFunctionProps, type Permission } from './handler-function.ts';
import { describeExecutions } from './machine.ts';
import type { Storage } from './storage.ts';
import { TRANSFORMS } from './transforms.ts';

export interface HandlersProps {
  storage: Storage;
  builds: Builds;
  topic: Topic;
  /** Role that CloudFormation deploys the users' stacks with. */
  cloudFormationRole: Role;
}

const ANY_STACK = 'The pipeline releases stacks whose names it does not know beforehand.';
const FOUND = 'Objects are found by content hash and by release.';

const onStacks = (...actions: string[]): Permission => ({
  actions: actions.map((action) => `cloudformation:${action}`),
  resources: [own('cloudformation', 'stack/*')],
  wildcard: ANY_STACK,
});

const passRole = (role: Role, service: string): Permission => ({
  actions: ['iam:PassRole'],
  resources: [role.roleArn],
  conditions: { StringEquals: { 'iam:PassedToService': service } },
});

/** All Lambda functions of the state machines: the state's name, and what it may do. */
export class Handlers extends Construct {
  readonly byState: ReadonlyMap<string, HandlerFunction>;

  constructor(scope: Construct, id: string, { storage, builds, topic, cloudFormationRole }: HandlersProps) {
    super(scope, id);
    const { sources, artifacts, releases } = storage;
    const { stackName } = Stack.of(this);
    const pipeline = { PIPELINE_STACK: stackName };
    const probeRole = this.probeRole(stackName);

    const read = (...folders: string[]): Permission[] => [
      {
        actions: ['s3:GetObject', 's3:GetObjectVersion'],
        resources: folders.map((folder) => artifacts.arnForObjects(`${folder}/*`)),
        wildcard: FOUND,
      },
      // Without it, S3 answers 403 instead of 404 for an object that is not there.
      { actions: ['s3:ListBucket'], resources: [artifacts.bucketArn] },
    ];
    const writeTo = (folder: string): Permission => ({
      actions: ['s3:PutObject'],
      resources: [artifacts.arnForObjects(`${folder}/*`)],
      wildcard: FOUND,
    });
    const write = writeTo('releases');
    const transform: Permission = {
      actions: ['cloudformation:CreateChangeSet'],
      resources: TRANSFORMS,
    };
    const bucket = { ARTIFACT_BUCKET: artifacts.bucketName };
    const table = { RELEASES_TABLE: releases.tableName };
    const deployRole = { CLOUDFORMATION_ROLE_ARN: cloudFormationRole.roleArn };
    const deploy = [passRole(cloudFormationRole, 'cloudformation.amazonaws.com'), transform];

    const onTable = (...actions: string[]): Permission => ({
      actions: actions.map((action) => `dynamodb:${action}`),
      resources: [releases.tableArn],
    });
    // Whoever holds the lock of a stack is one of these.
    const holders = describeExecutions('deploy', 'rollback');

    const listVersions: Permission = {
      actions: ['lambda:ListLayerVersions'],
      resources: ['*'],
      wildcard: 'ListLayerVersions takes no resource.',
    };

    const onFunctions = (...actions: string[]): Permission => ({
      actions: actions.map((action) => `lambda:${action}`),
      resources: [own('lambda', 'function:*')],
      wildcard: ANY_STACK,
    });

    // Whoever creates a function must be able to read its code and its layers.
    const onTemporary = (prefix: string): Permission[] => [
      {
        actions: [
          'lambda:CreateFunction',
          'lambda:GetFunction',
          'lambda:InvokeFunction',
          'lambda:DeleteFunction',
        ],
        resources: [own('lambda', `function:${prefix}*`)],
        wildcard: 'They are temporary; each has a name of its own behind this prefix.',
      },
      {
        actions: ['logs:DeleteLogGroup'],
        resources: [own('logs', `log-group:/aws/lambda/${prefix}*`)],
        wildcard: 'They are temporary; each has a name of its own behind this prefix.',
      },
      { actions: ['lambda:GetLayerVersion'], resources: [own('lambda', 'layer:*')], wildcard: ANY_STACK },
    ];

    const onAlarms = (...actions: string[]): Permission => ({
      actions: actions.map((action) => `cloudwatch:${action}`),
      resources: [own('cloudwatch', 'alarm:*')],
      wildcard: ANY_STACK,
    });
    const onDashboards = (action: string): Permission => ({
      actions: [`cloudwatch:${action}`],
      resources: [`arn:${Aws.PARTITION}:cloudwatch::${Aws.ACCOUNT_ID}:dashboard/${stackName}-*`],
      wildcard: ANY_STACK,
    });
    const describeLogGroups: Permission = {
      actions: ['logs:DescribeLogGroups'],
      resources: ['*'],
      wildcard: 'DescribeLogGroups takes no resource.',
    };
    const onFunctionLogs = (...actions: string[]): Permission => ({
      actions: actions.map((action) => `logs:${action}`),
      resources: [own('logs', 'log-group:/aws/lambda/*')],
      wildcard: ANY_STACK,
    });

    const projects = Object.values(builds.projects);
    const onBuilds = (...actions: string[]): Permission => ({
      actions: actions.map((action) => `codebuild:${action}`),
      resources: projects.map(({ projectArn }) => projectArn),
    });
    const buildProjects = { BUILD_PROJECTS: projects.map(({ projectName }) => projectName).join(',') };

    const definitions: Record<string, HandlerFunctionProps> = {
      Prerequisites: {
        file: 'prerequisites',
        environment: { ...table, ...bucket, ...pipeline },
        permissions: [
          {
            actions: ['s3:GetObject', 's3:GetObjectVersion'],
            resources: [sources.arnForObjects('*')],
            wildcard: 'Any uploaded project may be released.',
          },
          { actions: ['s3:ListBucket'], resources: [sources.bucketArn] },
          ...read('releases'),
          onTable('GetItem', 'PutItem', 'DeleteItem'),
          holders,
          onStacks('DescribeStacks'),
        ],
      },
      TakeLock: {
        file: 'take-lock',
        environment: table,
        permissions: [onTable('GetItem', 'PutItem'), holders],
      },
      Plan: {
        file: 'plan',
        environment: bucket,
        permissions: [...read('releases', 'layers', 'functions', 'decisions'), write],
      },
      ExplainBuildFailure: {
        file: 'explain-build-failure',
        environment: { ...bucket, ...buildProjects },
        permissions: [
          ...read('releases'),
          onBuilds('BatchGetBuilds', 'ListBuildsForProject'),
          {
            actions: ['logs:GetLogEvents'],
            resources: builds.logGroups.map(({ logGroupArn }) => logGroupArn),
            wildcard: 'Each build has a log stream of its own.',
          },
        ],
      },
      StopBuilds: {
        file: 'stop-builds',
        environment: buildProjects,
        permissions: [onBuilds('BatchGetBuilds', 'ListBuildsForProject', 'StopBuild')],
      },
      ValidateSizes: {
        file: 'validate-sizes',
        environment: bucket,
        timeout: Duration.minutes(5),
        memorySize: 1024,
        permissions: [...read('releases', 'layers', 'functions'), write],
      },
      Snapshot: {
        file: 'snapshot',
        environment: { ...bucket, ...pipeline },
        timeout: Duration.minutes(5),
        permissions: [
          onStacks('DescribeStacks', 'GetTemplate', 'ListStackResources'),
          onFunctions('GetAlias', 'GetFunctionConfiguration'),
          onAlarms('DescribeAlarms'),
          onDashboards('GetDashboard'),
          describeLogGroups,
          write,
        ],
      },
      DeployLayers: {
        file: 'deploy-layers',
        environment: bucket,
        timeout: Duration.minutes(5),
        permissions: [
          ...read('releases', 'layers'),
          {
            actions: ['lambda:PublishLayerVersion', 'lambda:DeleteLayerVersion'],
            resources: [own('lambda', 'layer:*')],
            wildcard: ANY_STACK,
          },
          listVersions,
        ],
      },
      CleanUp: {
        file: 'clean-up',
        environment: { ...bucket, ...table },
        timeout: Duration.minutes(5),
        permissions: [
          ...read('releases'),
          onTable('Query'),
          {
            actions: ['lambda:DeleteLayerVersion'],
            resources: [own('lambda', 'layer:*')],
            wildcard: ANY_STACK,
          },
          listVersions,
          onAlarms('DescribeAlarms', 'DeleteAlarms'),
          onStacks('ListStackResources'),
          onFunctions('ListVersionsByFunction', 'ListAliases'),
          {
            // With a qualifier: a version. A function as a whole has an ARN without one.
            actions: ['lambda:DeleteFunction'],
            resources: [own('lambda', 'function:*:*')],
            wildcard: ANY_STACK,
          },
        ],
      },
      ProbeImports: {
        file: 'probe-imports',
        environment: { ...bucket, ...pipeline, PROBE_ROLE_ARN: probeRole.roleArn },
        timeout: Duration.seconds(LAMBDA_SECONDS),
        permissions: [
          ...read('releases', 'layers', 'functions'),
          write,
          ...onTemporary(temporaryPrefix(stackName, 'probe')),
          passRole(probeRole, 'lambda.amazonaws.com'),
        ],
      },
      SmokeTestTwins: {
        file: 'smoke-test-twins',
        environment: { ...bucket, ...pipeline },
        timeout: Duration.seconds(LAMBDA_SECONDS),
        permissions: [
          ...read('releases', 'nested', 'functions'),
          write,
          onStacks('ListStackResources'),
          onFunctions('GetFunctionConfiguration'),
          ...onTemporary(temporaryPrefix(stackName, 'twin')),
          {
            actions: ['iam:PassRole'],
            resources: [ANY_ROLE],
            conditions: { StringEquals: { 'iam:PassedToService': 'lambda.amazonaws.com' } },
            wildcard: "A twin has its function's role, whose name its stack makes up.",
          },
        ],
      },
      CreateChangeSet: {
        file: 'create-change-set',
        environment: { ...bucket, ...table, ...deployRole },
        timeout: Duration.minutes(5),
        permissions: [
          ...read('releases', 'nested'),
          onTable('GetItem'),
          write,
          writeTo('nested'),
          onStacks('DescribeStacks', 'CreateChangeSet', 'TagResource'),
          ...deploy,
        ],
      },
      ExecuteChangeSet: {
        file: 'execute-change-set',
        environment: { ...bucket, ...table },
        permissions: [
          ...read('releases'),
          onTable('GetItem'),
          onStacks(
            'DescribeChangeSet',
            'ExecuteChangeSet',
            'DeleteChangeSet',
            'GetTemplate',
            'ListStackResources',
          ),
        ],
      },
      AwaitStack: {
        file: 'await-stack',
        environment: bucket,
        permissions: [onStacks('DescribeStacks', 'DescribeStackEvents'), write],
      },
      SmokeTest: {
        file: 'smoke-test',
        environment: bucket,
        timeout: Duration.seconds(LAMBDA_SECONDS),
        permissions: [
          ...read('releases'),
          write,
          onStacks('ListStackResources'),
          onFunctions('InvokeFunction'),
        ],
      },
      SmokeTestEndpoints: {
        file: 'smoke-test-endpoints',
        environment: bucket,
        timeout: Duration.seconds(LAMBDA_SECONDS),
        permissions: [...read('releases'), write, onStacks('ListStackResources')],
      },
      CheckLogs: {
        file: 'check-logs',
        environment: bucket,
        timeout: Duration.seconds(LAMBDA_SECONDS),
        permissions: [...read('releases'), write, onFunctionLogs('FilterLogEvents')],
      },
      ShiftTraffic: {
        file: 'shift-traffic',
        environment: { ...bucket, ...table },
        timeout: Duration.minutes(5),
        permissions: [
          ...read('releases'),
          onTable('GetItem'),
          onStacks('ListStackResources'),
          onFunctions('GetAlias', 'UpdateAlias'),
        ],
      },
      WatchAlarms: {
        file: 'watch-alarms',
        environment: bucket,
        permissions: [
          ...read('releases'),
          {
            actions: ['cloudwatch:DescribeAlarms'],
            resources: ['*'],
            wildcard:
              'DescribeAlarms tells of composite alarms only whoever may describe all (CloudWatch API reference).',
          },
        ],
      },
      Observe: {
        file: 'observe',
        environment: { ...table, ...pipeline, TOPIC_ARN: topic.topicArn },
        timeout: Duration.minutes(5),
        permissions: [
          onTable('GetItem'),
          onStacks('ListStackResources'),
          onFunctions('GetFunctionConfiguration'),
          onAlarms('PutMetricAlarm'),
          onDashboards('PutDashboard'),
          describeLogGroups,
          onFunctionLogs('CreateLogGroup', 'PutRetentionPolicy'),
        ],
      },
      RecordRelease: {
        file: 'record-release',
        environment: { ...bucket, ...table },
        permissions: [...read('releases'), onTable('GetItem', 'PutItem', 'UpdateItem', 'DeleteItem')],
      },
      Restore: {
        file: 'restore',
        environment: { ...bucket, ...table, ...deployRole, ...pipeline },
        timeout: Duration.minutes(10),
        permissions: [
          ...read('releases', 'nested'),
          onTable('GetItem'),
          onFunctions('GetAlias', 'UpdateAlias'),
          onStacks(
            'DescribeStacks',
            'DescribeStackEvents',
            'GetTemplate',
            'CreateChangeSet',
            'DescribeChangeSet',
            'ExecuteChangeSet',
            'DeleteChangeSet',
            'DeleteStack',
            'ContinueUpdateRollback',
            'TagResource',
          ),
          ...deploy,
          onAlarms('DescribeAlarms', 'DeleteAlarms'),
          onDashboards('DeleteDashboards'),
          describeLogGroups,
          onFunctionLogs('DeleteRetentionPolicy'),
        ],
      },
    };
    this.byState = new Map(
      Object.entries(definitions).map(([state, props]) => [state, new HandlerFunction(this, state, props)]),
    );
  }

  /** @throws Error naming a state that has no handler */
  arnOf(state: string): string {
    const handler = this.byState.get(state);
    if (!handler) throw new Error(`no handler for the state ${state}`);
    return handler.function.functionArn;
  }

  /** Probes run the project's code before it is released, so they may do nothing but write their logs. */
  private probeRole(stackName: string): Role {
    const role = new IamRole(this, 'ProbeRole', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: 'Temporary functions that prove the imports of a release',
    });
    grant(role, [
      {
        actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
        resources: [own('logs', `log-group:/aws/lambda/${temporaryPrefix(stackName, 'probe')}*`)],
        wildcard: 'Probes are temporary; each has a log group of its own behind this prefix.',
      },
    ]);
    return role;
  }
}
