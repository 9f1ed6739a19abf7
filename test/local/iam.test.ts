import { build } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { pipeline, upload } from '../support/aws.ts';
import { type Allowed, createFunction, invoke, role } from '../support/functions.ts';

const ACCOUNT = '000000000000';

/** What a call under a role of these permissions comes to: 'ok', or the error's name. */
async function callAs(
  name: string,
  allowed: Allowed[],
  client: string,
  command: string,
  input: object,
): Promise<unknown> {
  const code = `
import { ${client}, ${command} } from '@aws-sdk/${clientPackage(client)}';
export const handler = async (input) => new ${client}({ maxAttempts: 1 }).send(new ${command}(input)).then((answer) => answer.Body ? answer.Body.transformToString() : 'ok', (error) => error.name);
`;
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: process.cwd() },
    bundle: true,
    platform: 'node',
    format: 'esm',
    write: false,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  const functionName = `iam-${name}`;
  await createFunction(functionName, 'nodejs24.x', outputFiles[0]?.text ?? '', {
    Role: await role(functionName, 'lambda.amazonaws.com', allowed),
  });
  const { answer } = await invoke(functionName, input);
  return answer;
}

const clientPackage = (client: string) =>
  ({
    S3Client: 'client-s3',
    LambdaClient: 'client-lambda',
    CloudWatchClient: 'client-cloudwatch',
    CloudWatchLogsClient: 'client-cloudwatch-logs',
  })[client];

describe('IAM is enforced on the roles of functions', () => {
  const bucket = pipeline.SourceBucket;

  it('and refuses what no policy allows', async () => {
    expect(await callAs('nothing', [], 'S3Client', 'ListBucketsCommand', {})).toBe('AccessDenied');
  });

  it.each([
    [
      'alarm',
      'CloudWatchClient',
      'DescribeAlarmsCommand',
      { AlarmNames: ['mine-1'] },
      'cloudwatch:DescribeAlarms',
      `arn:aws:cloudwatch:us-east-1:${ACCOUNT}:alarm:mine-*`,
      { AlarmNames: ['yours'] },
    ],
    [
      'dashboard',
      'CloudWatchClient',
      'PutDashboardCommand',
      { DashboardName: 'mine', DashboardBody: '{"widgets":[]}' },
      'cloudwatch:PutDashboard',
      `arn:aws:cloudwatch::${ACCOUNT}:dashboard/mine`,
      { DashboardName: 'yours', DashboardBody: '{"widgets":[]}' },
    ],
    [
      'groups',
      'CloudWatchLogsClient',
      'DescribeLogGroupsCommand',
      {},
      'logs:DescribeLogGroups',
      `arn:aws:logs:us-east-1:${ACCOUNT}:log-group:*`,
      undefined,
    ],
    [
      'layers',
      'LambdaClient',
      'ListLayerVersionsCommand',
      { LayerName: 'mine' },
      'lambda:ListLayerVersions',
      '*',
      undefined,
    ],
  ])(
    'a permission on one %s is enough for it, and for it alone',
    async (name, client, command, input, action, resource, other) => {
      const allowed = [{ Action: action, Resource: resource }];
      expect(await callAs(`${name}-mine`, allowed, client, command, input)).toBe('ok');
      if (other)
        expect(await callAs(`${name}-yours`, allowed, client, command, other)).toMatch(/AccessDenied/);
    },
  );

  it('a permission to read the aliases of one function is enough for it, and for it alone', async () => {
    const allowed = [
      { Action: 'lambda:GetAlias', Resource: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:mine*` },
    ];
    const read = (name: string) =>
      callAs(`alias-${name}`, allowed, 'LambdaClient', 'GetAliasCommand', {
        FunctionName: name,
        Name: 'live',
      });
    expect(await read('mine')).toBe('ResourceNotFoundException');
    expect(await read('yours')).toMatch(/AccessDenied/);
  });

  it('a permission to read a layer version is one by its ARN', async () => {
    const arn = (name: string) => `arn:aws:lambda:us-east-1:${ACCOUNT}:layer:${name}:1`;
    const allowed = [{ Action: 'lambda:GetLayerVersion', Resource: arn('mine') }];
    const read = (name: string) =>
      callAs(`layer-${name}`, allowed, 'LambdaClient', 'GetLayerVersionByArnCommand', { Arn: arn(name) });
    expect(await read('mine')).toBe('ResourceNotFoundException');
    expect(await read('yours')).toMatch(/AccessDenied/);
  });

  it('a permission to create functions of one name does not create others', async () => {
    const allowed = [
      { Action: 'lambda:CreateFunction', Resource: `arn:aws:lambda:us-east-1:${ACCOUNT}:function:mine-*` },
      { Action: 'iam:PassRole', Resource: '*' },
    ];
    const input = (name: string) => ({
      FunctionName: name,
      Role: `arn:aws:iam::${ACCOUNT}:role/test-function`,
      Runtime: 'python3.11',
      Handler: 'app.handler',
      Code: { S3Bucket: bucket, S3Key: 'builds/code.zip' },
    });
    await upload('builds/code.zip', Buffer.from('PK'));
    expect(
      await callAs('create-mine', allowed, 'LambdaClient', 'CreateFunctionCommand', input('mine-1')),
    ).not.toMatch(/AccessDenied/);
    expect(
      await callAs('create-yours', allowed, 'LambdaClient', 'CreateFunctionCommand', input('yours-1')),
    ).toMatch(/AccessDenied/);
  });

  it('a bucket policy that refuses plain HTTP lets requests by, as they are over TLS on AWS', async () => {
    await upload('builds/text.txt', Buffer.from('text'));
    const allowed = [
      { Action: ['s3:GetObject', 's3:GetObjectVersion'], Resource: `arn:aws:s3:::${bucket}/*` },
    ];
    expect(
      await callAs('tls', allowed, 'S3Client', 'GetObjectCommand', {
        Bucket: bucket,
        Key: 'builds/text.txt',
      }),
    ).toBe('text');
  });

  it('a range of one version is just that range', async () => {
    const { key, versionId } = await upload('builds/range.txt', Buffer.from('0123456789'));
    await upload('builds/range.txt', Buffer.from('something else'));
    const allowed = [
      { Action: ['s3:GetObject', 's3:GetObjectVersion'], Resource: `arn:aws:s3:::${bucket}/*` },
    ];
    const read = (name: string, range: string) =>
      callAs(name, allowed, 'S3Client', 'GetObjectCommand', {
        Bucket: bucket,
        Key: key,
        VersionId: versionId,
        Range: range,
      });
    expect(await read('range', 'bytes=2-4')).toBe('234');
    expect(await read('range-tail', 'bytes=-3')).toBe('789');
    expect(await read('range-beyond', 'bytes=20-30')).toBe('InvalidRange');
  });
});
