import { GetFunctionCommand } from '@aws-sdk/client-lambda';
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, it } from 'vitest';
import { get, lambda, pipeline, release, resourcesOf, s3, stateOf } from '../support/aws.ts';
import { BASE, type Files, projectZip } from '../support/project.ts';

const STACK = 'foreign';

const FILES: Files = {
  'template.yaml': `${BASE['template.yaml']}  Shared:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: nodejs22.x }
    Properties: { ContentUri: layers/shared/, CompatibleRuntimes: [nodejs22.x] }
  Node:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/node/
      Handler: app.handler
      Runtime: nodejs22.x
      Layers: [!Ref Shared]
      Events:
        Node:
          Type: Api
          Properties: { Path: /node, Method: get }
`,
  'functions/node/app.mjs': `import { createRequire } from 'node:module';
import isNumber from 'is-number';
const isOdd = createRequire('/opt/nodejs/')('is-odd');
const answer = { number: isNumber(3), odd: isOdd(3) };
export const handler = async () => ({ statusCode: 200, body: JSON.stringify(answer) });
`,
  'functions/node/package.json':
    '{"name": "node", "version": "1.0.0", "dependencies": {"is-number": "7.0.0"}}\n',
  'functions/node/smoke/one.json': '{"event": {}, "expect": {"statusCode": 200}}\n',
  'layers/shared/package.json':
    '{"name": "shared", "version": "1.0.0", "dependencies": {"is-odd": "3.0.1"}}\n',
};

const withNode = (changes: Files = {}) => projectZip({ ...FILES, ...changes });

async function configurationOf(logicalId: string) {
  const resource = (await resourcesOf(STACK)).find((one) => one.logicalId === logicalId);
  const { Configuration } = await lambda.send(new GetFunctionCommand({ FunctionName: resource?.physicalId }));
  return Configuration;
}

describe('a function and a layer that sam build makes', () => {
  beforeAll(async () => {
    const end = await release(STACK, await withNode());
    expect(end.status, end.message).toBe('SUCCEEDED');
  });

  it('are released beside ours, each for its own runtime', async () => {
    expect(await configurationOf('Node')).toMatchObject({ Runtime: 'nodejs22.x' });
    expect(await configurationOf('Hello')).toMatchObject({ Runtime: 'python3.11' });
    expect(await get(STACK, '/node')).toEqual({ status: 200, body: { number: true, odd: true } });
    expect(await get(STACK, '/hello')).toMatchObject({ status: 200 });
  });

  it('are not built again when only Python changes', async () => {
    const codeOf = async () => {
      const { CodeSha256, Layers } = (await configurationOf('Node')) ?? {};
      return { CodeSha256, Layers };
    };
    const before = await codeOf();
    const end = await release(
      STACK,
      await withNode({ 'functions/hello/app.py': `# changed\n${BASE['functions/hello/app.py']}` }),
    );
    expect(end.status, end.message).toBe('SUCCEEDED');
    expect(await codeOf()).toEqual(before);
    const { CommonPrefixes = [] } = await s3.send(
      new ListObjectsV2Command({
        Bucket: pipeline.ArtifactBucket,
        Prefix: 'functions/Node/',
        Delimiter: '/',
      }),
    );
    expect(CommonPrefixes).toHaveLength(1);
  });

  it('are proven by a twin of their own runtime before they change', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await withNode({
        'functions/node/app.mjs': 'export const handler = async () => ({ statusCode: 500 });\n',
      }),
    );
    expect(end.error, end.message).toBe('SmokeTestFailedError');
    expect(end.message).toMatch(/smoke event one of Node, on a temporary twin/);
    expect(await stateOf(STACK)).toEqual(before);
  });

  it('end the release before anything has changed when their build fails, in the tool’s own words', async () => {
    const before = await stateOf(STACK);
    const end = await release(
      STACK,
      await withNode({
        'functions/node/package.json':
          '{"name": "node", "version": "1.0.0", "dependencies": {"is-number": "99.0.0"}}\n',
      }),
    );
    expect(end.error, end.message).toBe('SamBuildError');
    expect(end.message).toContain('is-number@99.0.0');
    expect(await stateOf(STACK)).toEqual(before);
  });
});
