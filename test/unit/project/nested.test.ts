import { rm } from 'node:fs/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { withNested } from '../../../core/project/nested.ts';
import { loadProject } from '../../../core/project/project.ts';
import { rejectUnreleasable } from '../../../core/project/releasable.ts';
import { BASE, type Files, writeProject } from '../../support/project.ts';

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

const stack = (url: string, parameters = '{}') => `  Data:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: ${url}, Parameters: ${parameters} }
`;
const TOPIC = 'Resources: { Topic: { Type: AWS::SNS::Topic } }\n';

const fn = (codeUri: string, layers = '[]') =>
  `Resources: { Fn: { Type: AWS::Serverless::Function, Properties: { CodeUri: ${codeUri}, Handler: a.b, Runtime: python3.11, Layers: ${layers} } } }\n`;

async function load(resources: string, files: Files = {}) {
  const root = await writeProject({
    ...BASE,
    'template.yaml': `${BASE['template.yaml']}${resources}`,
    ...files,
  });
  folders.push(root);
  return loadProject(root);
}

describe('a nested template', () => {
  it('is read with what the nesting one gives to it, and so on inwards, from its own folder', async () => {
    const { nested } = await load(
      stack('infra/data.yaml', '{ Stage: !Ref Greeting, Topic: !Ref UtilsLayer }'),
      {
        'infra/data.yaml': `Parameters:
  Stage: { Type: String }
  Topic: { Type: String, Default: never }
Resources:
  Inner:
    Type: AWS::Serverless::Application
    Properties: { Location: ./inner/queue.yaml, Parameters: { Name: !Sub 'q-\${Stage}' } }
`,
        'infra/inner/queue.yaml': `Parameters: { Name: { Type: String } }\n${TOPIC}`,
      },
    );
    expect(nested).toMatchObject([
      {
        logicalId: 'Data',
        file: 'infra/data.yaml',
        scope: { parameters: { Stage: 'hello' } },
        nested: [
          {
            logicalId: 'Inner',
            file: 'infra/inner/queue.yaml',
            scope: { parameters: { Name: 'q-hello' } },
            nested: [],
          },
        ],
      },
    ]);
    // What only the deployment knows is not the parameter's default.
    expect(nested[0]?.scope.parameters).not.toHaveProperty('Topic');
  });

  it('has its code beside itself, and layers of its own, or of the outer one by a parameter', async () => {
    const { layers, functions } = await load(stack('infra/data.yaml', '{ Shared: !Ref UtilsLayer }'), {
      'infra/data.yaml': `Parameters: { Shared: { Type: String, Default: none } }
Resources:
  CoreLayer: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: core/ } }
  Fn:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: ../functions/hello/, Handler: a.b, Runtime: python3.11, Layers: [!Ref Shared, !Ref CoreLayer] }
  Inner: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: inner.yaml, Parameters: { Deep: !Ref Shared } } }
`,
      'infra/inner.yaml': `Parameters: { Deep: { Type: String } }\n${fn('../functions/hello/', '[!Ref Deep]')}`,
      'infra/core/core.py': '',
    });
    expect(layers).toMatchObject([
      { logicalId: 'UtilsLayer', name: 'utils' },
      { logicalId: 'Data.CoreLayer', name: 'data-core', contentUri: 'infra/core' },
    ]);
    expect(functions.slice(1)).toMatchObject([
      { logicalId: 'Data.Fn', codeUri: 'functions/hello', layers: ['UtilsLayer', 'Data.CoreLayer'] },
      {
        logicalId: 'Data.Inner.Fn',
        codeUri: 'functions/hello',
        layers: ['UtilsLayer'],
        listed: ['UtilsLayer'],
      },
    ]);
  });

  it.each<[string, string, Files, RegExp]>([
    [
      'of others',
      stack('https://s3.amazonaws.com/theirs/template.yaml'),
      {},
      /Data\.Properties\.TemplateURL: .*only templates of the project/,
    ],
    [
      'of the application repository',
      `  Data:
    Type: AWS::Serverless::Application
    Properties: { Location: { ApplicationId: 'arn:x', SemanticVersion: 1.0.0 } }
`,
      {},
      /Data\.Properties\.Location: .*only templates of the project/,
    ],
    [
      'that only the deployment knows',
      stack("!Sub 'https://${AWS::Region}/x'"),
      {},
      /only templates of the project/,
    ],
    ['outside the project', stack('../other.yaml'), {}, /\.\.\/other\.yaml is outside the project/],
    ['at an absolute path', stack('/etc/passwd'), {}, /outside the project/],
    ['that is not there', stack('gone.yaml'), {}, /there is no file gone\.yaml/],
    ['that is no template', stack('data.yaml'), { 'data.yaml': 'nothing' }, /data\.yaml/],
    [
      'that nests itself',
      stack('data.yaml'),
      { 'data.yaml': `Resources:\n${stack('data.yaml')}` },
      /nested more than 5 deep/,
    ],
    [
      'that is given a parameter it does not have',
      stack('data.yaml', '{ Stage: dev }'),
      { 'data.yaml': TOPIC },
      /data\.yaml: has no parameter Stage/,
    ],
    [
      'with code that is not there',
      stack('infra/data.yaml'),
      { 'infra/data.yaml': fn('code/') },
      /infra\/data\.yaml: Data\.Fn\.CodeUri: there is no folder infra\/code/,
    ],
    [
      'with code outside the project',
      stack('infra/data.yaml'),
      { 'infra/data.yaml': fn('../../code/') },
      /\.\.\/code\/ is outside the project/,
    ],
  ])('%s is refused before anything starts, by name', async (_what, resources, files, message) => {
    await expect(load(resources, files).then(rejectUnreleasable)).rejects.toThrow(message);
  });

  it('that answers layers gives them to functions of others, at whatever depth', async () => {
    const uses = (name: string, layers: string) => `  ${name}:
    Type: AWS::Serverless::Function
    Properties: { CodeUri: functions/hello/, Handler: app.handler, Runtime: python3.11, Layers: ${layers} }
`;
    const { functions } = await load(
      `${stack('data.yaml')}  Others:
    Type: AWS::CloudFormation::Stack
    Properties: { TemplateURL: others.yaml, Parameters: { Core: !GetAtt Data.Outputs.Core } }
${uses('More', '[!Ref UtilsLayer, !GetAtt Data.Outputs.Core, !GetAtt Data.Outputs.Deep, !GetAtt Data.Outputs.Foreign]')}`,
      {
        'data.yaml': `Resources:
  CoreLayer: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: layers/utils } }
  Inner: { Type: AWS::CloudFormation::Stack, Properties: { TemplateURL: inner.yaml } }
Outputs:
  Core: { Value: !Ref CoreLayer }
  Deep: { Value: !GetAtt Inner.Outputs.Deepest }
  Foreign: { Value: 'arn:aws:lambda:us-east-1:1:layer:x:1' }
`,
        'inner.yaml': `Resources:
  DeepLayer: { Type: AWS::Lambda::LayerVersion, Properties: { Content: layers/utils } }
Outputs: { Deepest: { Value: !Ref DeepLayer } }
`,
        'others.yaml': `Parameters: { Core: { Type: String } }
Resources:
${uses('Given', '[!Ref Core]')}`,
      },
    );
    const layersOf = (id: string) => functions.find(({ logicalId }) => logicalId === id);
    expect(layersOf('More')).toMatchObject({
      layers: ['UtilsLayer', 'Data.CoreLayer', 'Data.Inner.DeepLayer'],
      listed: expect.arrayContaining([{ name: 'Data.Outputs.Foreign' }]),
    });
    expect(layersOf('Others.Given')).toMatchObject({
      layers: ['Data.CoreLayer'],
      listed: ['Data.CoreLayer'],
    });
  });

  it('may have a layer of the same name as another: each is found under a name of its own', async () => {
    const { layers } = await load(stack('data.yaml'), {
      'data.yaml':
        'Resources: { Other: { Type: AWS::Serverless::LayerVersion, Properties: { ContentUri: layers/utils, LayerName: utils } } }\n',
    });
    expect(layers.map(({ logicalId, name }) => [logicalId, name])).toEqual([
      ['UtilsLayer', 'utils'],
      ['Data.Other', 'data-other'],
    ]);
  });

  it('is taken from where it was put, and nothing else changes', () => {
    const template = {
      Resources: {
        A: {
          Type: 'AWS::CloudFormation::Stack',
          Properties: { TemplateURL: 'a.yaml', Parameters: { P: '1' } },
        },
        B: { Type: 'AWS::Serverless::Application', Properties: { Location: 'b.yaml' } },
        C: { Type: 'AWS::SNS::Topic' },
      },
    };
    expect(
      withNested(
        template,
        new Map([
          ['A', 'https://a'],
          ['B', 'https://b'],
          ['C', 'https://c'],
        ]),
      ),
    ).toEqual({
      Resources: {
        A: {
          Type: 'AWS::CloudFormation::Stack',
          Properties: { TemplateURL: 'https://a', Parameters: { P: '1' } },
        },
        B: { Type: 'AWS::Serverless::Application', Properties: { Location: 'https://b' } },
        C: { Type: 'AWS::SNS::Topic' },
      },
    });
  });
});
