import { Aws, Stack } from 'aws-cdk-lib';
import { Effect, ManagedPolicy, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { own } from './arns.ts';
import { deployPermissions } from './deploy-permissions.ts';
import { grant, type Permission, statementOf } from './handler-function.ts';
import type { Storage } from './storage.ts';

/** Services whose resources a template can name though it does not make them: by a policy, a permission, a trigger. */
const NAMED = ['cloudformation', 'dynamodb', 'events', 'iam', 'lambda', 'logs', 's3', 'sns', 'sqs', 'states'];

/** Nothing that a template names may be of the pipeline itself. */
function notThePipeline(stackName: string, storage: Storage): PolicyStatement {
  const named = (service: string, type: string) => own(service, `${type}${stackName}-*`);
  return new PolicyStatement({
    effect: Effect.DENY,
    // A Deny grants nothing, so it may say more than what is granted.
    actions: NAMED.map((service) => `${service}:*`),
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
      `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:policy/${stackName}-*`,
    ],
  });
}

/** Characters of a managed policy that IAM takes, without white space (IAM user guide, "IAM and AWS STS quotas"). */
const MAX_POLICY = 6144;
/** Longest values of the tokens in a statement: partition, region or account. */
const TOKEN_CHARACTERS = 16;

/** About how many characters a statement has in IAM's eyes. */
const sizeOf = (statement: PolicyStatement): number =>
  JSON.stringify(statement.toStatementJson()).replace(/\$\{Token\[[^\]]*\]\}/g, 'x'.repeat(TOKEN_CHARACTERS))
    .length;

/** Statements in as many groups as managed policies are needed for them. */
function inPolicies(statements: readonly PolicyStatement[]): PolicyStatement[][] {
  const groups: PolicyStatement[][] = [];
  let room = 0;
  for (const statement of statements) {
    const size = sizeOf(statement) + 1;
    if (size > room) {
      groups.push([]);
      room = MAX_POLICY - 200;
    }
    groups.at(-1)?.push(statement);
    room -= size;
  }
  return groups;
}

interface DeploymentRights {
  /** ARN of the permissions boundary of every role that it makes. */
  boundary: string;
  /** ARNs of managed policies of the owner's, for further types of resources. */
  policies: readonly string[];
}

/** The role that CloudFormation deploys the users' stacks with. */
export class CloudFormationRole extends Construct {
  readonly role: Role;

  constructor(scope: Construct, id: string, storage: Storage, { boundary, policies }: DeploymentRights) {
    super(scope, id);
    this.role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('cloudformation.amazonaws.com'),
      description: 'Deploys the stacks of released projects',
      managedPolicies: policies.map((arn, index) =>
        ManagedPolicy.fromManagedPolicyArn(this, `Owner${index}`, arn),
      ),
    });
    const artifacts: Permission = {
      actions: ['s3:GetObject', 's3:GetObjectVersion'],
      resources: [
        storage.artifacts.arnForObjects('functions/*'),
        storage.artifacts.arnForObjects('releases/*'),
        storage.artifacts.arnForObjects('nested/*'),
        storage.artifacts.arnForObjects('uploads/*'),
      ],
      wildcard: 'Artifacts and templates are found by their content hash.',
    };
    grant(this.role, [artifacts]);
    const permissions = deployPermissions(boundary);
    const reason = [...new Set(permissions.flatMap(({ wildcard }) => wildcard ?? []))].join(' ');
    for (const [index, statements] of inPolicies(permissions.map(statementOf)).entries()) {
      const policy = new ManagedPolicy(this, `Deploy${index}`, {
        description: 'What CloudFormation needs for the resources that projects may deploy',
        roles: [this.role],
        statements,
      });
      NagSuppressions.addResourceSuppressions(policy, [{ id: 'AwsSolutions-IAM5', reason }]);
    }
    new ManagedPolicy(this, 'NotThePipeline', {
      description: 'Keeps what projects deploy off the pipeline itself',
      roles: [this.role],
      statements: [notThePipeline(Stack.of(this).stackName, storage)],
    });
  }
}
