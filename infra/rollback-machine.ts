import { EventField, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import type { Topic } from 'aws-cdk-lib/aws-sns';
import type { StateMachine } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { ROLLBACK_SECONDS } from '../core/release/limits.ts';
import type { Handlers } from './handlers.ts';
import { Machine, StartRule } from './machine.ts';

export interface RollbackMachineProps {
  handlers: Handlers;
  topic: Topic;
}

/** States of the rollback machine that are handlers. */
const STATES = [
  'TakeLock',
  'StopBuilds',
  'Restore',
  'SmokeTest',
  'SmokeTestEndpoints',
  'CheckLogs',
  'Observe',
  'RecordRelease',
];

/** The rollback: of the deploy machine where it fails, of what a stopped execution has left, and by hand. */
export class RollbackMachine extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, { handlers, topic }: RollbackMachineProps) {
    super(scope, id);
    const functions = STATES.map((state) => [state, handlers.arnOf(state)] as const);
    this.machine = new Machine(this, 'Rollback', {
      file: 'rollback',
      comment: 'Brings a stack back to where it was before a release that failed or was stopped',
      substitutions: { ...Object.fromEntries(functions), Topic: topic.topicArn },
      permissions: [
        { actions: ['lambda:InvokeFunction'], resources: functions.map(([, arn]) => arn) },
        { actions: ['sns:Publish'], resources: [topic.topicArn] },
      ],
      timeoutSeconds: ROLLBACK_SECONDS,
    }).machine;
  }

  /**
   * Rolls back what an execution has left that ended where no Catch runs: stopped, out of time, or failed by an error that
   * States.ALL does not catch (States.Runtime, States.DataLimitExceeded, a history of 25,000 events; Step Functions developer
   * guide, "Handling errors"). One that failed and has rolled back by itself has given its lock up: TakeLock finds nothing.
   */
  watch(deploy: StateMachine): void {
    new StartRule(this, 'Stopped', {
      machine: this.machine,
      description: 'Rolls back what a release has changed that was stopped or failed without a rollback',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [deploy.stateMachineArn], status: ['ABORTED', 'TIMED_OUT', 'FAILED'] },
      },
      input: RuleTargetInput.fromObject({ executionArn: EventField.fromPath('$.detail.executionArn') }),
    });
  }
}
