import { GetRoleCommand, IAMClient } from '@aws-sdk/client-iam';
import { ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  describeStack,
  ended,
  entered,
  get,
  pipeline,
  readArtifact,
  release,
  resourcesOf,
  s3,
  start,
  stateOf,
  upload,
} from '../support/aws.ts';
import { BASE, changed, type Files, projectZip } from '../support/project.ts';

const STACK = 'nesting';

const DATA = `Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting: { Type: String }
Resources:
  Orders:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
      KeySchema: [{ AttributeName: id, KeyType: HASH }]
  Inside:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: "def handler(event, context):\\n    return 1\\n"
      Handler: index.handler
      Runtime: python3.11
      Policies: [AdministratorAccess]
  Queues:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: queues.yaml
Outputs:
  Text: { Value: !Sub '\${Greeting} from inside' }
`;

const FILES: Files = {
  'template.yaml': `${(BASE['template.yaml'] ?? '').replace(
    'GREETING: !Ref Greeting',
    'GREETING: !GetAtt Data.Outputs.Text',
  )}  Data:
    Type: AWS::Serverless::Application
    Properties:
      Location: infra/data.yaml
      Parameters: { Greeting: !Ref Greeting }
`,
  'infra/data.yaml': DATA,
  'infra/queues.yaml': 'Resources: { Jobs: { Type: AWS::SQS::Queue } }\n',
  'plimsoll.yaml': '',
};

const nesting = (changes: Files = {}) => projectZip({ ...FILES, ...changes });

/** A resource of the nested stack. */
async function inside(logicalId: string, of = 'Data', stack = STACK) {
  const nested = (await resourcesOf(stack)).find((one) => one.logicalId === of)?.physicalId ?? '';
  return (await resourcesOf(nested)).find((one) => one.logicalId === logicalId);
}

describe('a nested stack', () => {
  beforeAll(async () => {
    const end = await release(STACK, await nesting());
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  it('is deployed from the project’s own templates, at any depth, and answers its outputs', async () => {
    expect((await inside('Orders'))?.type).toBe('AWS::DynamoDB::Table');
    const data = (await resourcesOf(STACK)).find(({ logicalId }) => logicalId === 'Data')?.physicalId ?? '';
    const queues =
      (await resourcesOf(data)).find(({ logicalId }) => logicalId === 'Queues')?.physicalId ?? '';
    expect((await resourcesOf(queues)).map(({ type }) => type)).toEqual(['AWS::SQS::Queue']);
    expect(await get(STACK, '/hello')).toMatchObject({ body: { text: 'hello from inside you' } });
  });

  it('has the boundary on its roles', async () => {
    const RoleName = (await inside('InsideRole'))?.physicalId;
    const { Role } = await new IAMClient().send(new GetRoleCommand({ RoleName }));
    expect(Role?.PermissionsBoundary?.PermissionsBoundaryArn).toMatch(/:policy\//);
  });

  it('stays when nothing of it changes', async () => {
    const before = await inside('Orders');
    const end = await release(
      STACK,
      await nesting(changed('functions/hello/app.py', '"version": 1', '"version": 2')),
    );
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await inside('Orders')).toEqual(before);
  });

  it.each<[string, Files, string[]]>([
    [
      'replaces one of its tables',
      { 'infra/data.yaml': DATA.replaceAll('AttributeName: id', 'AttributeName: key') },
      ['replace Data.Orders (AWS::DynamoDB::Table)'],
    ],
    [
      'deletes a queue of a stack nested in it',
      { 'infra/queues.yaml': 'Resources: { News: { Type: AWS::SNS::Topic } }\n' },
      ['delete Data.Queues.Jobs (AWS::SQS::Queue)'],
    ],
    [
      'deletes it',
      { 'template.yaml': BASE['template.yaml'] },
      ['delete Data.Orders (AWS::DynamoDB::Table)', 'delete Data.Queues.Jobs (AWS::SQS::Queue)'],
    ],
  ])('keeps its data from a release that %s', async (_what, files, lost) => {
    const before = await stateOf(STACK);
    const end = await release(STACK, await nesting(files));
    expect(end.error, end.message).toBe('StatefulChangeError');
    for (const one of lost) expect(end.message).toContain(one);
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('is as before when the release that changed it fails', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await nesting({
        'infra/data.yaml': DATA.replace('from inside', 'changed').replace(
          '  Orders:',
          '  News: { Type: AWS::SNS::Topic }\n  Orders:',
        ),
        ...changed(
          'functions/hello/smoke/you.json',
          '"expect": {"statusCode": 200}',
          '"expect": {"body": "other"}',
        ),
      }),
    );
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(await stateOf(STACK)).toEqual(before);
    expect(await get(STACK, '/hello')).toMatchObject({ body: { text: 'hello from inside you' } });
  });

  it('that fails says which of its resources did, and the stack is as before', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await nesting({
        'infra/queues.yaml': `Resources:
  Jobs: { Type: AWS::SQS::Queue }
  Never:
    Type: Custom::Never
    Properties: { ServiceToken: !Sub 'arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:nobody' }
`,
      }),
    );
    expect(end.error, end.message).toBe('StackUpdateFailedError');
    expect(end.message).toMatch(/Data: .*Queues: .*Never \(Custom::Never\)/);
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('is not deployed from a template that somebody has changed meanwhile', async () => {
    const before = await stateOf(STACK);
    const note = `# changed meanwhile\n${BASE['functions/hello/app.py']}`;
    const arn = await start({
      source: await upload(`uploads/${STACK}.zip`, await nesting({ 'functions/hello/app.py': note })),
      stackName: STACK,
    });
    await entered(arn, 'DeployLayers');
    const { Contents = [] } = await s3.send(
      new ListObjectsV2Command({ Bucket: pipeline.ArtifactBucket, Prefix: 'nested/' }),
    );
    const all = await Promise.all(
      Contents.map(async ({ Key = '' }) => [Key, await readArtifact(Key)] as const),
    );
    // Of this project alone: others, that are released meanwhile, have theirs beside them.
    const texts = all.filter(([, text]) => text.includes('"Jobs"'));
    expect(texts).not.toEqual([]);
    const put = async (Key: string, Body: string) => {
      await s3.send(new PutObjectCommand({ Bucket: pipeline.ArtifactBucket, Key, Body }));
    };
    for (const [key, text] of texts) await put(key, `${text}\n`);
    const end = await ended(arn);
    for (const [key, text] of texts) await put(key, text);
    expect(end.error, end.message).toBe('ArtifactChangedError');
    expect(end.message).toMatch(/nested template nested\/[0-9a-f]{64}\.json is not what its name says/);
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('may lose data where the input allows it by name, and goes with all that it holds', async () => {
    const end = await release(STACK, await nesting({ 'template.yaml': BASE['template.yaml'] }), {
      allowDataLoss: ['Data.Orders', 'Data.Queues.Jobs'],
    });
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect((await resourcesOf(STACK)).map(({ logicalId }) => logicalId)).not.toContain('Data');
  });

  it.each<[string, Files, RegExp]>([
    [
      'names a role of others',
      {
        'infra/data.yaml': DATA.replace(
          '      Policies: [AdministratorAccess]\n',
          '      Role: arn:aws:iam::000000000000:role/admin\n',
        ),
      },
      /infra\/data\.yaml: Resources\.Inside\.Role: .*no role of this template/,
    ],
    [
      'is nobody’s here',
      { 'template.yaml': FILES['template.yaml']?.replace('infra/data.yaml', 'https://example.com/x.yaml') },
      /Data\.Properties\.Location: .*only templates of the project/,
    ],
  ])('is refused before anything starts where it %s', async (_what, files, message) => {
    const end = await release('nested-refused', await nesting(files));
    expect(end.error).toBe('UnsupportedProjectError');
    expect(end.message).toMatch(message);
    expect(await describeStack('nested-refused')).toBeUndefined();
  });
});
