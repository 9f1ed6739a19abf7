import { type App, CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Topic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';
import { InvalidInputError } from '../core/errors.ts';
import { DEFAULT_PIPELINE, pipelineNameSchema } from '../core/release/pipeline-name.ts';
import { VERSION } from '../core/version.ts';
import { own } from './arns.ts';
import { Boundary } from './boundary.ts';
import { Builds } from './builds.ts';
import { CloudFormationRole } from './cloudformation-role.ts';
import { DeployMachine } from './deploy-machine.ts';
import { Handlers } from './handlers.ts';
import { RollbackMachine } from './rollback-machine.ts';
import { Storage } from './storage.ts';

/**
 * The whole pipeline. Several stand side by side in one account, each under a name of its own.
 * @throws InvalidInputError where the id is no name of a pipeline
 */
export class PipelineStack extends Stack {
  constructor(scope: Construct, id: string, props: StackProps = {}) {
    const name = pipelineNameSchema.safeParse(id);
    if (!name.success)
      throw new InvalidInputError(
        `pipeline: "${id}" is not a name of a pipeline: ${name.error.issues[0]?.message}\n  Give another one: -c pipeline=NAME`,
      );
    super(scope, id, {
      description: 'Plimsoll: builds, trims, proves and ships Python projects on AWS Lambda',
      ...props,
    });
    const storage = new Storage(this, 'Storage');
    const topic = new Topic(this, 'Notifications', { displayName: 'Plimsoll', enforceSSL: true });
    // The Deny of enforceSSL replaces SNS's default policy, by which the account's own services may publish (SNS developer
    // guide, "Example cases for access control": allow CloudWatch alarms).
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: {
          StringEquals: { 'aws:SourceAccount': this.account },
          ArnLike: { 'aws:SourceArn': own('cloudwatch', 'alarm:*') },
        },
      }),
    );
    const boundary =
      this.contextText('permissionsBoundary') ?? new Boundary(this, 'Boundary', this, storage).policyArn;
    const packages = {
      indexes: this.contextList('indexes'),
      npmRegistry: this.contextText('npmRegistry'),
    };
    const unbuilt = this.contextText('unbuilt') === 'stub' ? ('stub' as const) : ('reject' as const);
    const rights = {
      boundary,
      roles: this.contextList('roles'),
      unbuilt,
      types: this.contextList('types'),
    };
    const policies = this.contextList('policies');
    const { role } = new CloudFormationRole(this, 'CloudFormation', storage, { boundary, policies });
    const settings = {
      ...rights,
      longestBake: this.contextText('longestBake'),
      processors: this.contextText('processors'),
    };
    const builds = new Builds(this, 'Builds', storage, settings, packages);
    const handlers = new Handlers(this, 'Handlers', { storage, builds, topic, cloudFormationRole: role });
    const back = new RollbackMachine(this, 'Back', { handlers, topic });
    const rollback = back.machine;
    const { machine } = new DeployMachine(this, 'Deploy', { storage, builds, handlers, topic, rollback });
    back.watch(machine);

    // The command line finds the pipeline by these.
    const outputs = {
      SourceBucket: storage.sources.bucketName,
      ArtifactBucket: storage.artifacts.bucketName,
      ReleasesTable: storage.releases.tableName,
      DeployMachine: machine.stateMachineArn,
      RollbackMachine: rollback.stateMachineArn,
      Topic: topic.topicArn,
      Version: VERSION,
    };
    for (const [name, value] of Object.entries(outputs)) new CfnOutput(this, name, { value });
  }

  /** What `cdk deploy -c NAME=VALUE` sets. */
  private contextText(name: string): string | undefined {
    const value: unknown = this.node.tryGetContext(name);
    return typeof value === 'string' && value !== '' ? value : undefined;
  }

  /** What `cdk deploy -c NAME=VALUE,VALUE` sets. */
  private contextList(name: string): string[] {
    return this.contextText(name)?.split(',') ?? [];
  }
}

/** Name of the pipeline that an app synthesises: `-c pipeline=NAME`, else the default. */
export const pipelineName = (app: App): string =>
  String(app.node.tryGetContext('pipeline') ?? DEFAULT_PIPELINE);
