import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { withIncludes } from '../../../core/project/include.ts';
import { loadProject } from '../../../core/project/project.ts';
import { parseTemplate } from '../../../core/project/yaml.ts';
import { type Files, writeProject } from '../../support/project.ts';

async function expand(template: string, files: Files = {}, file = 'template.yaml') {
  const root = await writeProject(files);
  const later: string[] = [];
  try {
    const document = await withIncludes(root, file, parseTemplate(template, file), {}, (error) => {
      later.push(error.message);
    });
    return { document, later };
  } finally {
    await rm(root, { recursive: true });
  }
}

const include = (location: string) =>
  `{ Fn::Transform: { Name: AWS::Include, Parameters: { Location: ${location} } } }`;

describe('a file that a template includes', () => {
  it('stands where it is included, beside what stands there, with short forms in it', async () => {
    const { document, later } = await expand(
      `
Parameters: { Api: { Type: String, Default: ./api/openapi.yaml } }
Resources:
  Fn::Transform: { Name: AWS::Include, Parameters: { Location: topics.yaml } }
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: { DefinitionBody: !Transform { Name: AWS::Include, Parameters: { Location: !Ref Api } } }
  List: { Type: AWS::SNS::Topic, Properties: { Subscription: [${include('sub.json')}] } }
`,
      {
        'topics.yaml':
          'Alarms:\n  Type: AWS::SNS::Topic\n  Properties: { TopicName: !Sub "${AWS::StackName}-a" }\n',
        'api/openapi.yaml': 'openapi: 3.0.1\npaths: {}\n',
        'sub.json': '{"Protocol": "email", "Endpoint": {"Ref": "Mail"}}',
      },
    );
    expect(document).toMatchObject({
      Resources: {
        Alarms: { Type: 'AWS::SNS::Topic', Properties: { TopicName: { 'Fn::Sub': '${AWS::StackName}-a' } } },
        Api: { Properties: { DefinitionBody: { openapi: '3.0.1', paths: {} } } },
        List: { Properties: { Subscription: [{ Protocol: 'email', Endpoint: { Ref: 'Mail' } }] } },
      },
    });
    expect(JSON.stringify(document)).not.toContain('Transform');
    expect(later).toEqual([]);
  });

  it('brings whole sections where the Transform of the template names it, which keeps the others', async () => {
    const top = '{ Name: AWS::Include, Parameters: { Location: maps.yaml } }';
    const files = { 'maps.yaml': 'Mappings: { Size: { dev: { Mb: 256 } } }\n' };
    const alone = await expand(`Transform: ${top}\nResources: {}\n`, files);
    expect(alone.document).toEqual({ Mappings: { Size: { dev: { Mb: 256 } } }, Resources: {} });
    const { document } = await expand(
      `Transform: [${top}, AWS::Serverless-2016-10-31]\nResources: {}\n`,
      files,
    );
    expect(document).toMatchObject({ Transform: 'AWS::Serverless-2016-10-31', Mappings: { Size: {} } });
  });

  it('is one of the folder that the template stands in', async () => {
    const { document } = await expand(
      `Resources: ${include('../shared/r.yaml')}\n`,
      { 'shared/r.yaml': 'A: { Type: AWS::SNS::Topic }\n' },
      'sub/template.yaml',
    );
    expect(document).toEqual({ Resources: { A: { Type: 'AWS::SNS::Topic' } } });
  });

  it.each([
    [
      's3://bucket/file.yaml',
      /Location: "s3:\/\/bucket\/file\.yaml": only files of the project are included/,
    ],
    ['https://example.com/a.yaml', /only files of the project/],
    ["!Sub 's3://${AWS::AccountId}/a.yaml'", /AWS::AccountId.*only files of the project/],
    ['!Ref Nothing', /only files of the project/],
    ['nowhere.yaml', /there is no file nowhere\.yaml; create it/],
  ])('that is not of the project is no reason not to build: %s', async (location, problem) => {
    const { document, later } = await expand(
      `Resources:\n  A: { Type: AWS::SNS::Topic, Properties: ${include(location)} }\n`,
    );
    expect(document).toEqual({ Resources: { A: { Type: 'AWS::SNS::Topic', Properties: {} } } });
    expect(later).toEqual([expect.stringMatching(problem)]);
    expect(later[0]).toContain('template.yaml: Resources.A.Properties.Fn::Transform.Parameters.Location: ');
  });

  it.each<[string, string, Files, RegExp]>([
    ['outside the project', '../../x.yaml', {}, /\.\.\/\.\.\/x\.yaml is outside the project/],
    ['at a path of the machine', '/etc/passwd', {}, /outside the project/],
    ['that is a list', 'a.yaml', { 'a.yaml': '[1]' }, /a\.yaml: is no map/],
    ['that is broken', 'a.yaml', { 'a.yaml': 'A: [1' }, /a\.yaml: .*line 1/],
    [
      'that includes more',
      'a.yaml',
      { 'a.yaml': `B: ${include('b.yaml')}` },
      /a\.yaml: .*cannot include others/,
    ],
    [
      'that brings what is there',
      'a.yaml',
      { 'a.yaml': 'TopicName: b' },
      /TopicName stands in the template and/,
    ],
  ])('%s is refused by name', async (_what, location, files, problem) => {
    const properties = `{ TopicName: a, ${include(location).slice(1)}`;
    await expect(
      expand(`Resources:\n  A: { Type: AWS::SNS::Topic, Properties: ${properties} }\n`, files),
    ).rejects.toThrow(problem);
  });

  it('is not taken in without end', async () => {
    const list = Array.from({ length: 30 }, () => include('big.yaml')).join(', ');
    await expect(
      expand(`Resources: { A: { Type: X, Properties: { L: [${list}] } } }\n`, {
        'big.yaml': `A: ${'x'.repeat(100_000)}\n`,
      }),
    ).rejects.toThrow(/more than 1000000 bytes/);
  });
});

it('functions that are included are functions of the project, in nested templates, too', async () => {
  const fn = (name: string) =>
    `${name}:\n  Type: AWS::Serverless::Function\n  Properties: { CodeUri: src, Handler: app.handler, Runtime: python3.12 }\n`;
  const head = 'Transform: AWS::Serverless-2016-10-31\n';
  const root = await writeProject({
    'template.yaml': `${head}Resources:\n  Fn::Transform: { Name: AWS::Include, Parameters: { Location: fn.yaml } }\n  Inner: { Type: AWS::Serverless::Application, Properties: { Location: inner/template.yaml } }\n`,
    'fn.yaml': fn('Outer'),
    'src/app.py': 'def handler(event, context):\n    return 1\n',
    'inner/template.yaml': `${head}Resources: ${include('fn.yaml')}\n`,
    'inner/fn.yaml': fn('Deep'),
    'inner/src/app.py': 'def handler(event, context):\n    return 1\n',
  });
  try {
    const { functions, unreleasable } = await loadProject(root);
    expect(functions.map(({ logicalId, codeUri }) => [logicalId, codeUri])).toEqual([
      ['Outer', 'src'],
      ['Inner.Deep', 'inner/src'],
    ]);
    expect(unreleasable).toEqual([]);
  } finally {
    await rm(root, { recursive: true });
  }
});
