import type { Stack } from 'aws-cdk-lib';
import { Effect, ManagedPolicy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { own } from './arns.ts';
import { machineName } from './machine.ts';
import type { Storage } from './storage.ts';

/** What code that runs behind an event usually does: it reads and writes data, sends messages, calls models and functions. */
const DATA: Record<string, string[]> = {
  acm: ['GetCertificate'],
  appconfig: ['GetLatestConfiguration', 'StartConfigurationSession'],
  appsync: ['GraphQL'],
  athena: [
    'GetNamedQuery',
    'GetQueryExecution',
    'GetQueryResults',
    'GetQueryResultsStream',
    'GetWorkGroup',
    'ListNamedQueries',
    'ListQueryExecutions',
    'ListWorkGroups',
    'StartQueryExecution',
    'StopQueryExecution',
  ],
  bedrock: ['InvokeModel', 'InvokeModelWithResponseStream'],
  ce: ['GetCostAndUsage', 'GetCostForecast', 'GetDimensionValues', 'GetTags'],
  cloudfront: ['CreateInvalidation'],
  cloudwatch: [
    'DescribeAlarmHistory',
    'GetMetricData',
    'GetMetricStatistics',
    'ListMetrics',
    'PutMetricData',
  ],
  'cognito-idp': [
    'AdminAddUserToGroup',
    'AdminConfirmSignUp',
    'AdminCreateUser',
    'AdminDeleteUser',
    'AdminDisableUser',
    'AdminEnableUser',
    'AdminGetUser',
    'AdminInitiateAuth',
    'AdminListGroupsForUser',
    'AdminRemoveUserFromGroup',
    'AdminResetUserPassword',
    'AdminRespondToAuthChallenge',
    'AdminSetUserPassword',
    'AdminUpdateUserAttributes',
    'ListUsers',
    'ListUsersInGroup',
  ],
  comprehend: ['DetectDominantLanguage', 'DetectEntities', 'DetectKeyPhrases', 'DetectSentiment'],
  dynamodb: [
    'BatchGetItem',
    'BatchWriteItem',
    'ConditionCheckItem',
    'DeleteItem',
    'DescribeStream',
    'DescribeTable',
    'GetItem',
    'GetRecords',
    'GetShardIterator',
    'ListStreams',
    'PutItem',
    'Query',
    'Scan',
    'UpdateItem',
  ],
  ec2: [
    'AssignPrivateIpAddresses',
    'CreateNetworkInterface',
    'DeleteNetworkInterface',
    'DescribeInstances',
    'DescribeNetworkInterfaces',
    'DescribeRegions',
    'DescribeSubnets',
    'DetachNetworkInterface',
    'UnassignPrivateIpAddresses',
  ],
  elasticfilesystem: ['ClientMount', 'ClientWrite'],
  es: ['ESHttpDelete', 'ESHttpGet', 'ESHttpHead', 'ESHttpPost', 'ESHttpPut'],
  events: ['PutEvents'],
  'execute-api': ['Invoke', 'ManageConnections'],
  firehose: ['PutRecord', 'PutRecordBatch'],
  iot: ['Publish'],
  glue: ['GetDatabase', 'GetPartition', 'GetPartitions', 'GetTable', 'GetTables'],
  kinesis: [
    'DescribeStream',
    'DescribeStreamSummary',
    'GetRecords',
    'GetShardIterator',
    'ListShards',
    'PutRecord',
    'PutRecords',
  ],
  kms: ['Decrypt', 'DescribeKey', 'Encrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'],
  lambda: ['InvokeFunction'],
  logs: ['CreateLogGroup', 'CreateLogStream', 'FilterLogEvents', 'PutLogEvents'],
  polly: ['DescribeVoices', 'GetLexicon', 'ListLexicons', 'SynthesizeSpeech'],
  'rds-data': [
    'BatchExecuteStatement',
    'BeginTransaction',
    'CommitTransaction',
    'ExecuteStatement',
    'RollbackTransaction',
  ],
  'rds-db': ['connect'],
  rekognition: [
    'CompareFaces',
    'DeleteFaces',
    'DetectFaces',
    'DetectLabels',
    'DetectModerationLabels',
    'DetectText',
    'IndexFaces',
    'ListCollections',
    'ListFaces',
    'SearchFaces',
    'SearchFacesByImage',
  ],
  s3: [
    'AbortMultipartUpload',
    'DeleteObject',
    'DeleteObjectTagging',
    'GetBucketLocation',
    'GetObject',
    'GetObjectAcl',
    'GetObjectTagging',
    'GetObjectVersion',
    'ListBucket',
    'ListMultipartUploadParts',
    'PutObject',
    'PutObjectTagging',
  ],
  sagemaker: ['InvokeEndpoint'],
  secretsmanager: [
    'DescribeSecret',
    'GetRandomPassword',
    'GetSecretValue',
    'PutSecretValue',
    'UpdateSecretVersionStage',
  ],
  ses: [
    'GetIdentityVerificationAttributes',
    'GetTemplate',
    'ListTemplates',
    'SendBounce',
    'SendBulkTemplatedEmail',
    'SendEmail',
    'SendRawEmail',
    'SendTemplatedEmail',
    'TestRenderTemplate',
  ],
  sns: ['ListSubscriptionsByTopic', 'Publish', 'Subscribe'],
  sqs: [
    'ChangeMessageVisibility',
    'DeleteMessage',
    'GetQueueAttributes',
    'GetQueueUrl',
    'ReceiveMessage',
    'SendMessage',
  ],
  ssm: ['DescribeParameters', 'GetParameter', 'GetParameters', 'GetParametersByPath'],
  states: [
    'DescribeExecution',
    'SendTaskFailure',
    'SendTaskHeartbeat',
    'SendTaskSuccess',
    'StartExecution',
    'StartSyncExecution',
  ],
  textract: [
    'AnalyzeDocument',
    'DetectDocumentText',
    'GetDocumentAnalysis',
    'GetDocumentTextDetection',
    'StartDocumentAnalysis',
    'StartDocumentTextDetection',
  ],
  translate: ['TranslateText'],
  xray: ['PutTelemetryRecords', 'PutTraceSegments'],
};

const actionsOf = (...services: string[]) =>
  services.flatMap((service) => (DATA[service] ?? []).map((action) => `${service}:${action}`));

/**
 * The most that any role of a deployed project may do, whatever its template asks for: work with data. No role gets what
 * leads to more rights (IAM, other roles, other stacks, code of functions), and none may touch the pipeline itself.
 */
export class Boundary extends Construct {
  readonly policyArn: string;

  constructor(scope: Construct, id: string, stack: Stack, { artifacts, sources, releases }: Storage) {
    super(scope, id);
    const name = stack.stackName;
    const deny = (actions: string[], resources: string[]) =>
      new PolicyStatement({ effect: Effect.DENY, actions, resources });
    const policy = new ManagedPolicy(this, 'Policy', {
      description: 'The most that a role of a project may do which Plimsoll deploys',
      statements: [
        new PolicyStatement({ actions: actionsOf(...Object.keys(DATA)), resources: ['*'] }),
        deny(
          ['s3:PutObject', 's3:DeleteObject', 's3:PutObjectTagging', 's3:AbortMultipartUpload'],
          [artifacts.arnForObjects('*'), sources.arnForObjects('*')],
        ),
        deny(actionsOf('dynamodb'), [releases.tableArn]),
        deny(['lambda:InvokeFunction'], [own('lambda', `function:${name}-*`)]),
        deny(
          ['states:StartExecution', 'states:StartSyncExecution'],
          ['deploy', 'rollback'].map((file) => own('states', `stateMachine:${machineName(file)}`)),
        ),
      ],
    });
    NagSuppressions.addResourceSuppressions(policy, [
      {
        id: 'AwsSolutions-IAM5',
        reason: 'A boundary grants nothing: a role has what its own policies grant and this allows, too.',
      },
    ]);
    this.policyArn = policy.managedPolicyArn;
  }
}
