import { InvokeCommand } from '@aws-sdk/client-lambda';
import { beforeAll, describe, expect, it } from 'vitest';
import { functionsOf } from '../../core/release/stack-resources.ts';
import { describeStack, lambda, pipeline, release, resourcesOf } from '../support/aws.ts';
import { BASE, changed, type Files, projectZip } from '../support/project.ts';

const STACK = 'greedy';
const HOSTILE = `import boto3


def handler(event, context):
    if "service" not in event:
        return {"statusCode": 200}
    try:
        getattr(boto3.client(event["service"]), event["call"])(**event["arguments"])
        return "allowed"
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        return "denied" if "AccessDenied" in code else code
`;

/** A function that asks for all rights there are. */
const greedy = (): Files => ({
  ...changed(
    'template.yaml',
    '      Timeout: 10\n',
    '      Timeout: 30\n      Policies: [AdministratorAccess]\n',
  ),
  'layers/utils/requirements.txt': 'six==1.16.0\nboto3==1.28.25\n',
  'functions/hello/app.py': HOSTILE,
  'plimsoll.yaml': 'optimise: { mode: rules }\nbotocore: { keep: [iam, sts, cloudformation, codebuild] }\n',
});

async function attempt(service: string, call: string, args: object): Promise<unknown> {
  const { Payload } = await lambda.send(
    new InvokeCommand({
      FunctionName: functionsOf(await resourcesOf(STACK)).get('Hello'),
      Payload: JSON.stringify({ service, call, arguments: args }),
    }),
  );
  return JSON.parse(Payload?.transformToString() ?? '""');
}

describe('a template that asks for admin rights', () => {
  beforeAll(async () => {
    const end = await release(STACK, await projectZip(greedy()));
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  const trust = JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS: '*' }, Action: 'sts:AssumeRole' }],
  });
  it.each<[string, string, string, object]>([
    ['a user', 'iam', 'create_user', { UserName: 'intruder' }],
    ['a role', 'iam', 'create_role', { RoleName: 'intruder', AssumeRolePolicyDocument: trust }],
    [
      'another role',
      'sts',
      'assume_role',
      { RoleArn: 'arn:aws:iam::000000000000:role/any', RoleSessionName: 'intruder' },
    ],
    [
      'another stack',
      'cloudformation',
      'create_stack',
      { StackName: 'intruder', TemplateBody: '{"Resources": {"T": {"Type": "AWS::SNS::Topic"}}}' },
    ],
    [
      'an artifact of the pipeline',
      's3',
      'put_object',
      { Bucket: pipeline.ArtifactBucket, Key: 'layers/x/layer.zip', Body: 'x' },
    ],
    ['an upload', 's3', 'put_object', { Bucket: pipeline.SourceBucket, Key: 'projects/x.zip', Body: 'x' }],
    [
      'a record of a release',
      'dynamodb',
      'put_item',
      { TableName: pipeline.ReleasesTable, Item: { pk: { S: 'x' }, sk: { S: 'x' } } },
    ],
    [
      'a release',
      'stepfunctions',
      'start_execution',
      { stateMachineArn: pipeline.DeployMachine, input: '{}' },
    ],
    [
      'code of a function',
      'lambda',
      'update_function_code',
      { FunctionName: 'x', S3Bucket: 'bucket', S3Key: 'x' },
    ],
    ['a handler of the pipeline', 'lambda', 'invoke', { FunctionName: 'Plimsoll-HandlersPlan' }],
  ])('does not get %s', async (_what, service, call, args) => {
    expect(await attempt(service, call, args)).toBe('denied');
  });

  it('works with data all the same', async () => {
    expect(await attempt('s3', 'get_object', { Bucket: pipeline.ArtifactBucket, Key: 'nothing' })).toMatch(
      /NoSuchKey|allowed/,
    );
    expect(await attempt('lambda', 'invoke', { FunctionName: 'nobody' })).toBe('ResourceNotFoundException');
  });

  it.each<[string, Files, RegExp]>([
    [
      'a role that others have made',
      changed(
        'template.yaml',
        '      Timeout: 10\n',
        '      Timeout: 10\n      Role: arn:aws:iam::000000000000:role/admin\n',
      ),
      /Hello\.Role: .*no role of this template/,
    ],
    [
      'another boundary',
      changed(
        'template.yaml',
        '      Timeout: 10\n',
        '      Timeout: 10\n      PermissionsBoundary: arn:aws:iam::aws:policy/AdministratorAccess\n',
      ),
      /PermissionsBoundary/,
    ],
  ])('is refused before anything starts where it asks for %s', async (_what, files, message) => {
    const end = await release('refused', await projectZip({ ...BASE, ...files }));
    expect(end.error).toBe('UnsupportedProjectError');
    expect(end.message).toMatch(message);
    expect(await describeStack('refused')).toBeUndefined();
  });
});
