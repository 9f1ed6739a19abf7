import { Aws } from 'aws-cdk-lib';
import { EventField, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { DEPLOY_SECONDS } from '../core/release/limits.ts';
import type { Builds } from './builds.ts';
import type { Handlers } from './handlers.ts';
import { describeExecutions, Machine, StartRule } from './machine.ts';
import type { Storage } from './storage.ts';

export interface DeployMachineProps {
  storage: Storage;
  builds: Builds;
  handlers: Handlers;
  topic: Topic;
  /** Brings back what a failed release has changed. */
  rollback: StateMachine;
}

/** States of the deploy machine that are handlers. */
const DEPLOY_STATES = [
  'CleanUp',
  'AwaitStack',
  'CheckLogs',
  'CreateChangeSet',
  'DeployLayers',
  'ExecuteChangeSet',
  'ExplainBuildFailure',
  'Observe',
  'Plan',
  'Prerequisites',
  'ProbeImports',
  'RecordRelease',
  'ShiftTraffic',
  'SmokeTest',
  'SmokeTestEndpoints',
  'SmokeTestTwins',
  'Snapshot',
  'ValidateSizes',
  'WatchAlarms',
];

/** Uploads below this prefix are released at once: projects/STACK.zip. */
export const UPLOAD_PREFIX = 'projects/';

/** The state machine of a release, from its ASL file, and the rule that starts it for each uploaded project. */
export class DeployMachine extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, props: DeployMachineProps) {
    super(scope, id);
    const { storage, builds, handlers, topic, rollback } = props;
    const states = DEPLOY_STATES.map((state) => [state, handlers.arnOf(state)] as const);
    this.machine = new Machine(this, 'Deploy', {
      file: 'deploy',
      comment: 'Takes an uploaded SAM project to a proven release, or back to where it was',
      substitutions: {
        ...Object.fromEntries(states),
        ...Object.fromEntries(
          Object.entries(builds.projects).map(([name, project]) => [name, project.projectName]),
        ),
        Topic: topic.topicArn,
        Rollback: rollback.stateMachineArn,
      },
      permissions: [
        { actions: ['lambda:InvokeFunction'], resources: states.map(([, arn]) => arn) },
        {
          actions: ['codebuild:StartBuild', 'codebuild:StopBuild', 'codebuild:BatchGetBuilds'],
          resources: Object.values(builds.projects).map(({ projectArn }) => projectArn),
        },
        {
          // Step Functions learns of the end of a build and of a nested execution through these rules of its own: its developer
          // guide, "Integrating CodeBuild" and "Start a nested workflow".
          actions: ['events:PutTargets', 'events:PutRule', 'events:DescribeRule'],
          resources: [
            'StepFunctionsGetEventForCodeBuildStartBuildRule',
            'StepFunctionsGetEventsForStepFunctionsExecutionRule',
          ].map((rule) => `arn:${Aws.PARTITION}:events:${Aws.REGION}:${Aws.ACCOUNT_ID}:rule/${rule}`),
        },
        { actions: ['sns:Publish'], resources: [topic.topicArn] },
        { actions: ['states:StartExecution'], resources: [rollback.stateMachineArn] },
        // Not StopExecution: a rollback that has begun goes on though the release that called it is stopped.
        describeExecutions('rollback'),
      ],
      timeoutSeconds: DEPLOY_SECONDS,
    }).machine;
    new StartRule(this, 'Uploaded', {
      machine: this.machine,
      description: `Releases each project that is uploaded as ${UPLOAD_PREFIX}STACK.zip`,
      eventPattern: {
        source: ['aws.s3'],
        detailType: ['Object Created'],
        detail: {
          bucket: { name: [storage.sources.bucketName] },
          object: { key: [{ wildcard: `${UPLOAD_PREFIX}*.zip` }] },
        },
      },
      input: RuleTargetInput.fromObject({
        source: {
          bucket: EventField.fromPath('$.detail.bucket.name'),
          key: EventField.fromPath('$.detail.object.key'),
          versionId: EventField.fromPath('$.detail.object.version-id'),
        },
        onlyNewest: true,
      }),
    });
  }
}
