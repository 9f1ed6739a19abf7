import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import {
  Architecture,
  Code,
  Function as LambdaFunction,
  LoggingFormat,
  Runtime,
} from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { NagSuppressions } from 'cdk-nag';
import { Construct } from 'constructs';
import { handlerBundle } from './paths.ts';

/** Actions on resources. A wildcard resource carries the reason why AWS offers nothing narrower. */
export interface Permission {
  actions: string[];
  resources: string[];
  /** Why a wildcard stands in one of the resources. @default there is none */
  wildcard?: string;
  /** IAM conditions. @default none */
  conditions?: Record<string, Record<string, string | string[]>>;
}

export interface HandlerFunctionProps {
  /** Name of the file in handlers/. */
  file: string;
  permissions: Permission[];
  environment: Record<string, string>;
  /** @default one minute */
  timeout?: Duration;
  /** In MB. @default 512 */
  memorySize?: number;
}

export const statementOf = ({ actions, resources, conditions }: Permission): PolicyStatement =>
  new PolicyStatement({ actions, resources, ...(conditions ? { conditions } : {}) });

/** Grants permissions to a role and explains the wildcards to cdk-nag. */
export function grant(role: Role, permissions: readonly Permission[]): void {
  for (const permission of permissions) role.addToPolicy(statementOf(permission));
  const reasons = permissions.flatMap(({ wildcard }) => wildcard ?? []);
  if (reasons.length === 0) return;
  NagSuppressions.addResourceSuppressions(
    role,
    [{ id: 'AwsSolutions-IAM5', reason: [...new Set(reasons)].join(' ') }],
    true,
  );
}

/** One state's Lambda function with a role, a log group and permissions of its own. */
export class HandlerFunction extends Construct {
  readonly function: LambdaFunction;

  constructor(scope: Construct, id: string, props: HandlerFunctionProps) {
    super(scope, id);
    const logGroup = new LogGroup(this, 'Logs', {
      retention: RetentionDays.ONE_MONTH,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new Role(this, 'Role', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      description: `What the handler ${props.file} may do`,
    });
    logGroup.grantWrite(role);
    grant(role, props.permissions);
    this.function = new LambdaFunction(this, 'Function', {
      description: `${Stack.of(this).stackName}: ${props.file}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      handler: 'index.handler',
      code: Code.fromAsset(handlerBundle(props.file)),
      role,
      logGroup,
      loggingFormat: LoggingFormat.JSON,
      timeout: props.timeout ?? Duration.minutes(1),
      memorySize: props.memorySize ?? 512,
      environment: props.environment,
    });
  }
}
