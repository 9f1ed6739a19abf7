import { Aws } from 'aws-cdk-lib';
import { ANY_LAYER, ANY_ROLE, LAYERS_WHY } from './arns.ts';
import { arnPatterns, covers, resourcesOf, TYPE_ACTIONS } from './aws/facts.ts';
import type { Permission } from './handler-function.ts';
import { TRANSFORMS } from './transforms.ts';

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

/** What the schemas name and this role does not get, with the reason; a star stands for anything. */
export const NOT_GRANTED: Readonly<Record<string, string>> = {
  'acm-pca:*': 'A private certificate authority belongs to the account.',
  'amplify:*': 'A project’s web ACLs stand before its APIs.',
  'apprunner:*': 'A project’s web ACLs stand before its APIs.',
  'autoscaling:*': 'Application Insights looks at servers, too; a project makes none.',
  'codedeploy:*': 'The pipeline shifts traffic itself; no template is deployed with a DeploymentPreference.',
  'cognito-sync:*': 'AWS has replaced Cognito Sync by AppSync.',
  'dynamodb:AssociateTableReplica': 'Only global tables have replicas.',
  'dynamodb:CreateTableReplica': 'Only global tables have replicas.',
  'dynamodb:BatchWriteItem': 'Items: CloudFormation writes some only into replicas.',
  'dynamodb:*Item': 'Items: CloudFormation reads and writes some only for replicas.',
  'dynamodb:Query': 'Items: CloudFormation reads some only for replicas.',
  'dynamodb:Scan': 'Items: CloudFormation reads some only for replicas.',
  'dynamodb:ImportTable': 'A table that is imported from S3 brings items of others.',
  'dynamodb:DescribeImport': 'A table that is imported from S3 brings items of others.',
  'ecs:*': 'Application Insights looks at servers, too; a project makes none.',
  'eks:*': 'Application Insights looks at servers, too; a project makes none.',
  'elasticloadbalancing:*': 'A project’s web ACLs stand before its APIs, and it makes no load balancers.',
  'fsx:*': 'Application Insights looks at servers, too; a project makes none.',
  'iam:*Group*': 'A project makes no groups.',
  'iam:*User*': 'A project makes no users.',
  'iam:CreateServiceLinkedRole': 'Such a role belongs to the account; whoever owns it makes it once.',
  'kinesis:PutRecords': 'Records are written by functions, not by CloudFormation.',
  'lambda:PassCapacityProvider': 'A project makes no capacity providers.',
  'logs:PutLogEvents': 'Only the import of a table from S3 logs.',
  'rds:*': 'Application Insights looks at databases, too; a project makes none.',
  'route53:*': 'Names in hosted zones belong to the account.',
  's3:DeleteObject': 'Objects: a bucket with objects is not deleted.',
  's3:GetObject*': 'Objects: those in the artifact bucket are in a statement of their own.',
  's3:ListBucket': 'Objects: CloudFormation is given their keys.',
  's3:PutObjectAcl': 'Objects: CloudFormation makes none.',
  's3:*MetadataTable*': 'Buckets with metadata tables are not for projects.',
  's3tables:*': 'Buckets with metadata tables are not for projects.',
};

/** What is not in the schemas, but in the documents of the services. */
const BESIDE = [
  // Lambda-backed custom resources are invoked with the role of the stack (CloudFormation user guide).
  'lambda:InvokeFunction',
  // Access logs of HTTP APIs (API Gateway developer guide, "Configure logging for HTTP APIs").
  'logs:GetLogDelivery',
  'logs:UpdateLogDelivery',
  'logs:DeleteLogDelivery',
  'logs:ListLogDeliveries',
  // A nested stack is made, changed and deleted under the role of the one that nests it.
  'cloudformation:CreateChangeSet',
  'cloudformation:DescribeChangeSet',
  'cloudformation:ExecuteChangeSet',
  'cloudformation:DeleteChangeSet',
  'cloudformation:TagResource',
  'cloudformation:UntagResource',
];

/** Cryptographic use of a key: only through the service that keeps something under it, for a resource of the account. */
const WITH_KEY = /^kms:(CreateGrant|RevokeGrant|Decrypt|Encrypt|GenerateDataKey\w*|ReEncrypt\w*)$/;

/** Services that a role may be passed to by a template. */
const PASSED_TO = [
  'apigateway',
  'appconfig',
  'appsync',
  'cognito-identity',
  'cognito-idp',
  'events',
  'firehose',
  'iot',
  'lambda',
  'logs',
  'pipes',
  's3',
  'scheduler',
  'sns',
  'states',
];

/** These take a resource, but hide composite alarms from whoever may not describe all (CloudWatch API reference). */
const ON_ALL = ['cloudwatch:DescribeAlarms'];

const serviceOf = (action: string) => action.split(':')[0];

const isGranted = (action: string) => !Object.keys(NOT_GRANTED).some((one) => covers(one, action));

/** What CloudFormation needs for the types of resources that a project may deploy. @param boundary ARN of their roles' boundary */
export function deployPermissions(boundary: string): Permission[] {
  const onRoles = underBoundary(boundary);
  const needed = [...new Set([...Object.values(TYPE_ACTIONS).flat(), ...BESIDE])].filter(isGranted).sort();
  const apart = [...onRoles.actions, 'iam:PassRole'];
  const plain = needed.filter((one) => !apart.includes(one) && !WITH_KEY.test(one));
  const withKey = needed.filter((one) => WITH_KEY.test(one));
  const withoutResource = plain.filter((one) => arnPatterns(one).length === 0 || ON_ALL.includes(one));
  const withResource = plain.filter((one) => !withoutResource.includes(one));
  const services = [...new Set(withResource.map(serviceOf))].map((service) =>
    withResource.filter((one) => serviceOf(one) === service),
  );
  return [
    onRoles,
    {
      actions: ['iam:PassRole'],
      resources: [ANY_ROLE],
      conditions: {
        StringEquals: { 'iam:PassedToService': PASSED_TO.map((service) => `${service}.amazonaws.com`) },
      },
      wildcard: WHY,
    },
    {
      actions: withKey,
      resources: resourcesOf(withKey),
      conditions: { StringLike: { 'kms:ViaService': `*.${Aws.REGION}.amazonaws.com` } },
      wildcard: WHY,
    },
    {
      actions: withoutResource,
      resources: ['*'],
      wildcard: 'AWS offers no resource for these actions, or shows all only to who may see all.',
    },
    ...services.map((actions) => ({ actions, resources: resourcesOf(actions), wildcard: WHY })),
    // Whoever gives a function a layer must be able to read it (Lambda developer guide, "Granting users access to a layer").
    { actions: ['lambda:GetLayerVersion'], resources: [ANY_LAYER], wildcard: LAYERS_WHY },
    {
      actions: ['cloudformation:CreateChangeSet'],
      resources: TRANSFORMS,
    },
  ];
}
