import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import type { Builds } from './builds.ts';
import { grant } from './handler-function.ts';
import type { Handlers } from './handlers.ts';
import { readText, stateMachineFile } from './paths.ts';
import type { Storage } from './storage.ts';

export interface DeployMachineProps {
  storage: Storage;
  builds: Builds;
  handlers: Handlers;
  topic: Topic;
}

/** Uploads below this prefix are released at once: projects/STACK.zip. */
export const UPLOAD_PREFIX = 'projects/';

/** The state machine of a release, from its ASL file, and the rule that starts it for each uploaded project. */
export class DeployMachine extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, props: DeployMachineProps) {
    super(scope, id);
    const { storage, builds, handlers, topic } = props;
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: 'What the deploy state machine may do',
    });
    const functions = [...handlers.byState.values()].map((handler) => handler.function);
    grant(role, [
      { actions: ['lambda:InvokeFunction'], resources: functions.map(({ functionArn }) => functionArn) },
      {
        actions: ['codebuild:StartBuild', 'codebuild:StopBuild', 'codebuild:BatchGetBuilds'],
        resources: Object.values(builds.projects).map(({ projectArn }) => projectArn),
      },
      {
        // Step Functions learns of a build's end through this rule of its own: its developer guide, "Integrating CodeBuild".
        actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
        resources: [
          `arn:${Aws.PARTITION}:events:${Aws.REGION}:${Aws.ACCOUNT_ID}:rule/StepFunctionsGetEventForCodeBuildStartBuildRule`,
        ],
      },
      { actions: ['sns:Publish'], resources: [topic.topicArn] },
    ]);
    this.machine = new StateMachine(this, 'Machine', {
      comment: 'Takes an uploaded SAM project to a proven release, or back to where it was',
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(readText(stateMachineFile('deploy'))),
      definitionSubstitutions: {
        ...Object.fromEntries(
          [...handlers.byState].map(([state, handler]) => [state, handler.function.functionArn]),
        ),
        ...Object.fromEntries(
          Object.entries(builds.projects).map(([name, project]) => [name, project.projectName]),
        ),
        Topic: topic.topicArn,
      },
      role,
      timeout: Duration.hours(4),
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Logs', {
          retention: RetentionDays.ONE_MONTH,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: LogLevel.ALL,
        includeExecutionData: true,
      },
    });
    NagSuppressions.addResourceSuppressions(
      role,
      [
        {
          id: 'AwsSolutions-IAM5',
          reason:
            'Log deliveries and X-Ray segments have no resource to name (Step Functions developer guide).',
        },
      ],
      true,
    );
    this.startOnUpload(storage);
  }

  private startOnUpload({ sources }: Storage): void {
    const role = new Role(this, 'UploadRole', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: 'Starts the deploy state machine for an uploaded project',
    });
    const lost = new Queue(this, 'LostUploads', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    NagSuppressions.addResourceSuppressions(lost, [
      { id: 'AwsSolutions-SQS3', reason: 'This is itself the dead-letter queue.' },
    ]);
    new Rule(this, 'Uploaded', {
      description: `Releases each project that is uploaded as ${UPLOAD_PREFIX}STACK.zip`,
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [sources.bucketName] },
          object: { key: [{ wildcard: `${UPLOAD_PREFIX}*.zip` }] },
        },
      },
      targets: [
        new SfnStateMachine(this.machine, {
          role,
          deadLetterQueue: lost,
          input: RuleTargetInput.fromObject({
            source: {
              bucket: EventField.fromPath('$.detail.bucket.name'),
              key: EventField.fromPath('$.detail.object.key'),
              versionId: EventField.fromPath('$.detail.object.version-id'),
            },
          }),
        }),
      ],
    });
  }
}
