import { Aws, Stack } from 'aws-cdk-lib';
import { Effect, ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';
import { ANY_ROLE, own } from './arns.ts';
import { grant, type Permission } from './handler-function.ts';
import type { Storage } from './storage.ts';

const WHY =
  "The pipeline deploys stacks whose names, and so whose resources' names, it does not know beforehand.";

/** What makes a role, or gives it rights: only under the boundary (IAM: "Permissions boundaries for IAM entities"). */
const underBoundary = (boundary: string): Permission => ({
  actions: [
    'iam:CreateRole',
    'iam:AttachRolePolicy',
    'iam:DetachRolePolicy',
    'iam:PutRolePolicy',
    'iam:DeleteRolePolicy',
    'iam:PutRolePermissionsBoundary',
    // A stack that others have deployed goes back to what it was; no template of a project asks for it.
    'iam:DeleteRolePermissionsBoundary',
  ],
  resources: [ANY_ROLE],
  conditions: { StringEquals: { 'iam:PermissionsBoundary': boundary } },
  wildcard: WHY,
});

/** What CloudFormation needs for the resources that a SAM template usually has. */
const PERMISSIONS: Permission[] = [
  {
    actions: [
      'lambda:CreateFunction',
      'lambda:UpdateFunctionCode',
      'lambda:UpdateFunctionConfiguration',
      'lambda:DeleteFunction',
      'lambda:GetFunction',
      'lambda:GetFunctionConfiguration',
      'lambda:ListTags',
      'lambda:TagResource',
      'lambda:UntagResource',
      'lambda:AddPermission',
      'lambda:RemovePermission',
      'lambda:GetPolicy',
      'lambda:PublishVersion',
      'lambda:ListVersionsByFunction',
      'lambda:CreateAlias',
      'lambda:UpdateAlias',
      'lambda:DeleteAlias',
      'lambda:GetAlias',
      'lambda:PutFunctionConcurrency',
      'lambda:DeleteFunctionConcurrency',
      'lambda:PutProvisionedConcurrencyConfig',
      'lambda:GetProvisionedConcurrencyConfig',
      'lambda:DeleteProvisionedConcurrencyConfig',
      'lambda:PutFunctionEventInvokeConfig',
      'lambda:UpdateFunctionEventInvokeConfig',
      'lambda:DeleteFunctionEventInvokeConfig',
      'lambda:GetFunctionCodeSigningConfig',
      'lambda:GetRuntimeManagementConfig',
    ],
    resources: [own('lambda', 'function:*')],
    wildcard: WHY,
  },
  { actions: ['lambda:GetLayerVersion'], resources: [own('lambda', 'layer:*')], wildcard: WHY },
  {
    actions: [
      'lambda:CreateEventSourceMapping',
      'lambda:GetEventSourceMapping',
      'lambda:UpdateEventSourceMapping',
      'lambda:DeleteEventSourceMapping',
    ],
    resources: ['*'],
    wildcard: 'An event source mapping has an id that Lambda makes up.',
  },
  {
    actions: [
      'iam:DeleteRole',
      'iam:GetRole',
      'iam:UpdateRole',
      'iam:UpdateAssumeRolePolicy',
      'iam:TagRole',
      'iam:UntagRole',
      'iam:GetRolePolicy',
      'iam:ListRolePolicies',
      'iam:ListAttachedRolePolicies',
    ],
    resources: [ANY_ROLE],
    wildcard: WHY,
  },
  {
    actions: ['iam:PassRole'],
    resources: [ANY_ROLE],
    conditions: {
      StringEquals: {
        'iam:PassedToService': ['lambda.amazonaws.com', 'states.amazonaws.com', 'events.amazonaws.com'],
      },
    },
    wildcard: WHY,
  },
  {
    actions: ['apigateway:GET', 'apigateway:POST', 'apigateway:PUT', 'apigateway:PATCH', 'apigateway:DELETE'],
    resources: [
      `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}::/restapis`,
      `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}::/restapis/*`,
      `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}::/apis`,
      `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}::/apis/*`,
      `arn:${Aws.PARTITION}:apigateway:${Aws.REGION}::/tags/*`,
    ],
    wildcard: 'An API has an id that API Gateway makes up.',
  },
  {
    actions: [
      'logs:CreateLogGroup',
      'logs:DeleteLogGroup',
      'logs:DescribeLogGroups',
      'logs:PutRetentionPolicy',
      'logs:DeleteRetentionPolicy',
      'logs:TagResource',
      'logs:ListTagsForResource',
    ],
    resources: [own('logs', 'log-group:*')],
    wildcard: WHY,
  },
  {
    actions: [
      'events:PutRule',
      'events:DeleteRule',
      'events:DescribeRule',
      'events:PutTargets',
      'events:RemoveTargets',
      'events:ListTargetsByRule',
    ],
    resources: [own('events', 'rule/*')],
    wildcard: WHY,
  },
  {
    actions: [
      'sqs:CreateQueue',
      'sqs:DeleteQueue',
      'sqs:GetQueueAttributes',
      'sqs:SetQueueAttributes',
      'sqs:TagQueue',
      'sqs:UntagQueue',
      'sqs:ListQueueTags',
    ],
    resources: [own('sqs', '*')],
    wildcard: WHY,
  },
  {
    actions: [
      'sns:CreateTopic',
      'sns:DeleteTopic',
      'sns:GetTopicAttributes',
      'sns:SetTopicAttributes',
      'sns:Subscribe',
      'sns:Unsubscribe',
      'sns:ListSubscriptionsByTopic',
      'sns:TagResource',
    ],
    resources: [own('sns', '*')],
    wildcard: WHY,
  },
  {
    actions: [
      'dynamodb:CreateTable',
      'dynamodb:DeleteTable',
      'dynamodb:DescribeTable',
      'dynamodb:UpdateTable',
      'dynamodb:DescribeTimeToLive',
      'dynamodb:UpdateTimeToLive',
      'dynamodb:DescribeContinuousBackups',
      'dynamodb:UpdateContinuousBackups',
      'dynamodb:TagResource',
      'dynamodb:ListTagsOfResource',
    ],
    resources: [own('dynamodb', 'table/*')],
    wildcard: WHY,
  },
  {
    actions: [
      's3:CreateBucket',
      's3:DeleteBucket',
      's3:PutBucketTagging',
      's3:GetBucketTagging',
      's3:PutEncryptionConfiguration',
      's3:GetEncryptionConfiguration',
      's3:PutBucketPublicAccessBlock',
      's3:GetBucketPublicAccessBlock',
      's3:PutBucketVersioning',
      's3:GetBucketVersioning',
      's3:PutLifecycleConfiguration',
      's3:GetLifecycleConfiguration',
      's3:PutBucketNotification',
      's3:GetBucketNotification',
      's3:PutBucketPolicy',
      's3:GetBucketPolicy',
      's3:DeleteBucketPolicy',
    ],
    resources: [`arn:${Aws.PARTITION}:s3:::*`],
    wildcard: WHY,
  },
  {
    actions: [
      'states:CreateStateMachine',
      'states:UpdateStateMachine',
      'states:DeleteStateMachine',
      'states:DescribeStateMachine',
      'states:TagResource',
      'states:UntagResource',
      'states:ListTagsForResource',
    ],
    resources: [own('states', 'stateMachine:*')],
    wildcard: WHY,
  },
  {
    actions: ['cloudwatch:PutMetricAlarm', 'cloudwatch:DeleteAlarms', 'cloudwatch:DescribeAlarms'],
    resources: [own('cloudwatch', 'alarm:*')],
    wildcard: WHY,
  },
  {
    actions: ['ssm:PutParameter', 'ssm:DeleteParameter', 'ssm:GetParameters', 'ssm:AddTagsToResource'],
    resources: [own('ssm', 'parameter/*')],
    wildcard: WHY,
  },
  {
    // A nested stack is made, changed and deleted under the role of the one that nests it.
    actions: [
      'cloudformation:CreateStack',
      'cloudformation:UpdateStack',
      'cloudformation:DeleteStack',
      'cloudformation:DescribeStacks',
      'cloudformation:CreateChangeSet',
      'cloudformation:DescribeChangeSet',
      'cloudformation:ExecuteChangeSet',
      'cloudformation:DeleteChangeSet',
      'cloudformation:TagResource',
      'cloudformation:UntagResource',
    ],
    resources: [own('cloudformation', 'stack/*')],
    wildcard: WHY,
  },
  {
    actions: ['cloudformation:CreateChangeSet'],
    resources: [`arn:${Aws.PARTITION}:cloudformation:${Aws.REGION}:aws:transform/Serverless-2016-10-31`],
  },
];

/** Services whose resources a template can name though it does not make them: by a policy, a permission, a trigger. */
const NAMED = /^(cloudformation|dynamodb|events|iam|lambda|logs|s3|sns|sqs|states):/;

/** Nothing that a template names may be of the pipeline itself. */
function notThePipeline(stackName: string, storage: Storage): PolicyStatement {
  const named = (service: string, type: string) => own(service, `${type}${stackName}-*`);
  return new PolicyStatement({
    effect: Effect.DENY,
    actions: [
      ...new Set(
        [...PERMISSIONS, underBoundary('')]
          .flatMap(({ actions }) => actions)
          .filter((one) => NAMED.test(one)),
      ),
    ],
    resources: [
      storage.artifacts.bucketArn,
      storage.sources.bucketArn,
      storage.releases.tableArn,
      own('cloudformation', `stack/${stackName}/*`),
      named('cloudformation', 'stack/'),
      named('events', 'rule/'),
      named('lambda', 'function:'),
      named('logs', 'log-group:'),
      named('logs', 'log-group:/aws/lambda/'),
      named('sns', ''),
      named('sqs', ''),
      named('states', 'stateMachine:'),
      `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/${stackName}-*`,
    ],
  });
}

/** The role that CloudFormation deploys the users' stacks with. */
export class CloudFormationRole extends Construct {
  readonly role: Role;

  /** @param boundary ARN of the permissions boundary of every role that it makes */
  constructor(scope: Construct, id: string, storage: Storage, boundary: string) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('cloudformation.amazonaws.com'),
      description: 'Deploys the stacks of released projects',
    });
    const artifacts: Permission = {
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: [
        storage.artifacts.arnForObjects('functions/*'),
        storage.artifacts.arnForObjects('releases/*'),
        storage.artifacts.arnForObjects('nested/*'),
      ],
      wildcard: 'Artifacts and templates are found by their content hash.',
    };
    grant(this.role, [...PERMISSIONS, underBoundary(boundary), artifacts]);
    new ManagedPolicy(this, 'NotThePipeline', {
      description: 'Keeps what projects deploy off the pipeline itself',
      roles: [this.role],
      statements: [notThePipeline(Stack.of(this).stackName, storage)],
    });
  }
}
