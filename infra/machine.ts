import { Aws, Duration, RemovalPolicy } from 'aws-cdk-lib';
import { type EventPattern, Rule, type RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { SfnStateMachine } from 'aws-cdk-lib/aws-events-targets';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { grant, type Permission } from './handler-function.ts';
import { readText, stateMachineFile } from './paths.ts';

export interface MachineProps {
  /** Name of the ASL file in state-machines/. */
  file: string;
  comment: string;
  /** Values of the ${…} in the ASL file. */
  substitutions: Record<string, string>;
  permissions: Permission[];
  timeoutSeconds: number;
}

/** The name of a state machine: executions must be known before there is a machine, by those who ask for them. */
export const machineName = (file: string): string => `${Aws.STACK_NAME}-${file}`;

/** All executions of a state machine. */
const executionsOf = (file: string): string =>
  `arn:${Aws.PARTITION}:states:${Aws.REGION}:${Aws.ACCOUNT_ID}:execution:${machineName(file)}:*`;

/** Asking how the executions of these state machines fare. */
export const describeExecutions = (...files: string[]): Permission => ({
  actions: ['states:DescribeExecution'],
  resources: files.map(executionsOf),
  wildcard: 'An execution has a name that whoever starts it makes up.',
});

/** A definition with a limit to the time that an execution may take: CDK gives one to definitions of its own alone. */
const limitedTo = (TimeoutSeconds: number, asl: string): string =>
  JSON.stringify({ ...(JSON.parse(asl) as object), TimeoutSeconds });

/** A state machine from its ASL file, with a role and a log group of its own. */
export class Machine extends Construct {
  readonly machine: StateMachine;

  constructor(scope: Construct, id: string, props: MachineProps) {
    super(scope, id);
    const { file, comment, substitutions, permissions, timeoutSeconds } = props;
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('states.amazonaws.com'),
      description: `What the ${file} state machine may do`,
    });
    grant(role, permissions);
    this.machine = new StateMachine(this, 'Machine', {
      stateMachineName: machineName(file),
      comment,
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromString(limitedTo(timeoutSeconds, readText(stateMachineFile(file)))),
      definitionSubstitutions: substitutions,
      role,
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
  }
}

export interface StartProps {
  machine: StateMachine;
  /** What the rule does, for people. */
  description: string;
  eventPattern: EventPattern;
  input: RuleTargetInput;
}

/** A rule that starts a state machine for each event; an event that could not be delivered waits in a queue. */
export class StartRule extends Construct {
  constructor(scope: Construct, id: string, { machine, description, eventPattern, input }: StartProps) {
    super(scope, id);
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('events.amazonaws.com'),
      description: `Starts a state machine: ${description}`,
    });
    const deadLetterQueue = new Queue(this, 'Lost', {
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    NagSuppressions.addResourceSuppressions(deadLetterQueue, [
      { id: 'AwsSolutions-SQS3', reason: 'This is itself the dead-letter queue.' },
    ]);
    const target = new SfnStateMachine(machine, { role, deadLetterQueue, input });
    new Rule(this, 'Rule', { description, eventPattern, targets: [target] });
  }
}
