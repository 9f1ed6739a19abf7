import { randomBytes } from 'node:crypto';
import { ListExecutionsCommand, StartExecutionCommand } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import type { Stored } from '../../core/release/stored.ts';
import { describeStack, ended, get, readArtifact, release, resourcesOf, sfn } from '../support/aws.ts';
import { BASE, projectZip } from '../support/project.ts';

const STACK = 'others';

/** What projects have besides functions, with what SAM and CloudFormation offer to say it. */
const TEMPLATE = `${(BASE['template.yaml'] ?? '').replace(
  'Resources:\n',
  `Mappings:
  Sizes: { small: { Days: 1 } }
Conditions:
  IsLoud: !Equals [!Ref Greeting, HELLO]
Globals:
  Function:
    Environment:
      Variables: { QUEUE: !Ref Orders }
Resources:
`,
)}  Orders:
    Type: AWS::SQS::Queue
    Properties:
      MessageRetentionPeriod: 86400
      RedrivePolicy: { deadLetterTargetArn: !GetAtt Lost.Arn, maxReceiveCount: 3 }
  Lost:
    Type: AWS::SQS::Queue
  Table:
    Type: AWS::Serverless::SimpleTable
  Loud:
    Type: AWS::SNS::Topic
    Condition: IsLoud
  Bucket:
    Type: AWS::S3::Bucket
  Setting:
    Type: AWS::SSM::Parameter
    Properties: { Type: String, Value: !Sub 'greets with \${Greeting}' }
  Flow:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: flows/greet.asl.yaml
      DefinitionSubstitutions: { Hello: !GetAtt Hello.Arn }
      Policies:
        - LambdaInvokePolicy: { FunctionName: !Ref Hello }
Outputs:
  Flow: { Value: !Ref Flow }
  Url: { Value: !Sub 'https://\${ServerlessRestApi}.execute-api.\${AWS::Region}.amazonaws.com/Prod/' }
`;

/** As `sam build` has it, in a file of its own. */
const FLOW = `StartAt: Greet
States:
  Greet: { Type: Task, Resource: '\${Hello}', Retry: [{ ErrorEquals: [States.ALL], BackoffRate: 2.0 }], End: true }
`;

describe.each([
  ['expanded by CloudFormation', ''],
  ['expanded here, since a function has an alias', '      AutoPublishAlias: live\n'],
])('what is not ours, %s', (_how, alias) => {
  const stack = `${STACK}${alias ? '-aliased' : ''}`;
  const template = TEMPLATE.replace('      Timeout: 10\n', `      Timeout: 10\n${alias}`);
  const files = { 'template.yaml': template, 'flows/greet.asl.yaml': FLOW };

  it('is deployed as it stands in the template, and stays when only code changes', async () => {
    const first = await release(stack, await projectZip(files));
    expect(first.error, first.message).toBe('');
    const before = await resourcesOf(stack);
    const types = new Set(before.map(({ type }) => type));
    for (const type of [
      'AWS::SQS::Queue',
      'AWS::DynamoDB::Table',
      'AWS::S3::Bucket',
      'AWS::SSM::Parameter',
      'AWS::StepFunctions::StateMachine',
    ])
      expect(types, type).toContain(type);
    expect(types).not.toContain('AWS::SNS::Topic');
    const outputs = await readArtifact((first.output['outputs'] as Stored).key);
    const { Flow: stateMachineArn = '' } = JSON.parse(outputs) as Record<string, string>;
    const { executionArn = '' } = await sfn.send(new StartExecutionCommand({ stateMachineArn, input: '{}' }));
    expect((await ended(executionArn)).output).toMatchObject({ statusCode: 200 });
    const next = await release(stack, await projectZip({ ...files, 'functions/hello/note.txt': 'changed' }));
    expect(next.error, next.message).toBe('');
    const kept = (list: typeof before) =>
      list
        .filter(({ type }) => /SQS|DynamoDB|S3|SSM|StepFunctions/.test(type))
        .map(({ logicalId, physicalId }) => `${logicalId} ${physicalId}`)
        .sort();
    expect(kept(await resourcesOf(stack))).toEqual(kept(before));
    const { executions = [] } = await sfn.send(new ListExecutionsCommand({ stateMachineArn }));
    expect(executions).toHaveLength(1);
    expect(await get(stack, '/hello')).toMatchObject({ status: 200 });
  });
});

it('a template that is too large with the definitions that it names is refused before anything changes', async () => {
  const long = () => `Comment: ${randomBytes(300_000).toString('hex')}\n${FLOW}`;
  const machine = (name: string) =>
    `  ${name}: { Type: AWS::Serverless::StateMachine, Properties: { DefinitionUri: ${name}.yaml } }\n`;
  const files = {
    'template.yaml': `${BASE['template.yaml']}${machine('One')}${machine('Two')}`,
    'One.yaml': long(),
    'Two.yaml': long(),
  };
  const end = await release(`${STACK}-large`, await projectZip(files));
  expect(end.error, end.message).toBe('TemplateError');
  expect(end.message).toMatch(/template\.yaml: \d+ bytes with the definitions that it names/);
  expect(await describeStack(`${STACK}-large`)).toBeUndefined();
});
