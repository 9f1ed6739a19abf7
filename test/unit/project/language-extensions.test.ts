import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { isObject, resolve, type Scope, scopeOf, UNKNOWN } from '../../../core/project/intrinsics.ts';
import { withoutLanguageExtensions } from '../../../core/project/language-extensions.ts';
import { loadProject } from '../../../core/project/project.ts';
import { readTemplate } from '../../../core/project/template.ts';
import { parseTemplate } from '../../../core/project/yaml.ts';

const HEAD = 'Transform: [AWS::LanguageExtensions, AWS::Serverless-2016-10-31]\n';
const expand = (text: string, parameters = {}) =>
  withoutLanguageExtensions(
    parseTemplate(HEAD + text, 'template.yaml') as Record<string, unknown>,
    'template.yaml',
    parameters,
  );

describe('loops', () => {
  it('make what they stand for, in keys, texts and references, inside one another', () => {
    const { Resources, Outputs, Transform } = expand(`
Parameters: { Names: { Type: CommaDelimitedList, Default: 'Orders, Users' } }
Resources:
  Fn::ForEach::Tables:
    - Name
    - !Ref Names
    - Table\${Name}:
        Type: AWS::DynamoDB::Table
        Properties:
          TableName: !Sub '\${AWS::StackName}-\${Name}'
          Tags:
            Fn::ForEach::Tags:
              - Tag
              - [a, b]
              - \${Tag}: !Ref Name
  Other: { Type: AWS::SNS::Topic }
Outputs:
  Fn::ForEach::Outs:
    - Name
    - [x/y, z]
    - Out&{Name}:
        Value: '\${Name}'
`);
    const table = (name: string) => ({
      Type: 'AWS::DynamoDB::Table',
      Properties: { TableName: { 'Fn::Sub': `\${AWS::StackName}-${name}` }, Tags: { a: name, b: name } },
    });
    expect(Resources).toEqual({
      TableOrders: table('Orders'),
      TableUsers: table('Users'),
      Other: { Type: 'AWS::SNS::Topic' },
    });
    expect(Outputs).toEqual({ Outxy: { Value: 'x/y' }, Outz: { Value: 'z' } });
    expect(Transform).toBe('AWS::Serverless-2016-10-31');
  });

  it('follow the values of parameters that a release sets', () => {
    const text = `
Parameters: { Names: { Type: CommaDelimitedList, Default: A } }
Resources:
  Fn::ForEach::T: [N, !Ref Names, { 'T\${N}': { Type: AWS::SNS::Topic } }]
`;
    expect(Object.keys(expand(text, { Names: 'X,Y' })['Resources'] as object)).toEqual(['TX', 'TY']);
  });

  it.each([
    [
      'whose items only the deployment knows',
      "[N, [!Ref 'AWS::Region'], { 'T${N}': {} }]",
      /the item .*AWS::Region/,
    ],
    [
      'whose collection only the deployment knows',
      "[N, !GetAZs '', { 'T${N}': {} }]",
      /the collection .*GetAZs/,
    ],
    ['that make one thing twice', '[N, [A, B], { T: {} }]', /makes "T" twice/],
    ['that are no loops', '[N, [A]]', /a loop is a list of an identifier/],
    ['that never end', "[N, [A, A], { 'T${N}': {} }]", /makes "TA" twice/],
  ])('%s are refused by name', (_what, loop, problem) => {
    expect(() => expand(`Resources:\n  Fn::ForEach::Loop: ${loop}\n`)).toThrow(problem);
    expect(() => expand(`Resources:\n  Fn::ForEach::Loop: ${loop}\n`)).toThrow(
      /template\.yaml: Resources\.Fn::ForEach::Loop: /,
    );
  });

  it('that multiply without end are refused', () => {
    const items = JSON.stringify(Array.from({ length: 200 }, (_, index) => `i${index}`));
    const text = `Resources:
  Fn::ForEach::A:
    - X
    - ${items}
    - Fn::ForEach::B:
        - Y
        - ${items}
        - 'T\${X}\${Y}': { Type: AWS::SNS::Topic }
`;
    expect(() => expand(text)).toThrow(/more than 10000 entries/);
  });
});

describe('functions of the transform', () => {
  const value = (node: string) =>
    (
      expand(`
Mappings: { Env: { dev: { Size: '1' } } }
Parameters: { List: { Type: CommaDelimitedList, Default: 'a,b,c' }, Stage: { Type: String, Default: prod } }
Conditions: { IsProd: !Equals [!Ref Stage, prod] }
Resources: { T: { Type: AWS::SNS::Topic, Properties: { V: ${node} } } }
`)['Resources'] as { T: { Properties: { V: unknown } } }
    ).T.Properties.V;

  it.each<[string, unknown]>([
    ['!Length [1, 2, 3]', 3],
    ['{ Fn::Length: !Ref List }', 3],
    ['!ToJsonString { a: 1, b: [!Ref Stage] }', '{"a":1,"b":["prod"]}'],
    ["!FindInMap [Env, !Ref Stage, Size, { DefaultValue: '9' }]", '9'],
    ["!FindInMap [Env, dev, Size, { DefaultValue: '9' }]", '1'],
    ['!FindInMap [Env, dev, Size, { DefaultValue: !Ref List }]', '1'],
    ['!FindInMap [None, dev, Size, { DefaultValue: !Ref List }]', { Ref: 'List' }],
    ['!FindInMap [Env, !Select [0, [dev]], Size]', '1'],
    ["!Ref { Fn::Sub: '${Stage}Topic' }", { Ref: 'prodTopic' }],
    ["!GetAtt [!Sub '${Stage}Topic', Arn]", { 'Fn::GetAtt': ['prodTopic', 'Arn'] }],
    ['!FindInMap [Env, !Ref Stage, Size]', { 'Fn::FindInMap': ['Env', { Ref: 'Stage' }, 'Size'] }],
    ['!FindInMap [Env, dev, Size]', { 'Fn::FindInMap': ['Env', 'dev', 'Size'] }],
  ])('are answered where all is known: %s', (node, expected) => expect(value(node)).toEqual(expected));

  it.each([
    '!ToJsonString { a: !Ref U }',
    "!ToJsonString { a: !Ref 'AWS::Region' }",
    "{ Fn::Length: !GetAZs '' }",
    "!FindInMap [Env, !Ref 'AWS::Region', Size, { DefaultValue: '9' }]",
    "!FindInMap [Env, !Select [0, !GetAZs ''], Size]",
    "!Ref { Fn::Sub: '${AWS::Region}Topic' }",
    "!GetAtt [!Sub '${AWS::Region}Topic', Arn]",
    '!ToJsonString { password: !Ref Secret }',
  ])('stay as they are, with the transform first, where only the deployment knows: %s', (node) => {
    const text = `
Mappings: { Env: { dev: { Size: '1' } } }
Parameters: { Secret: { Type: String, NoEcho: true, Default: hush } }
Resources: { T: { Type: AWS::SNS::Topic, Properties: { V: ${node} } }, U: { Type: AWS::SNS::Topic } }
`;
    const template = expand(text);
    expect(template['Transform']).toEqual(['AWS::LanguageExtensions', 'AWS::Serverless-2016-10-31']);
    expect(template['Resources']).toEqual(
      (parseTemplate(text, 'template.yaml') as Record<string, unknown>)['Resources'],
    );
  });

  it('stay where a nesting template gives what only the deployment knows, whatever the default', () => {
    const text = `${HEAD}
Parameters: { Stage: { Type: String, Default: dev } }
Resources: { T: { Type: AWS::SNS::Topic, Properties: { V: !ToJsonString { a: !Ref Stage } } } }
`;
    const read = (givenLater: string[]) =>
      readTemplate(text, 'template.yaml', {}, { inside: 'N.', givenLayers: new Map(), givenLater }).document;
    expect(read([])['Resources']).toMatchObject({ T: { Properties: { V: '{"a":"dev"}' } } });
    expect(read(['Stage'])['Resources']).toMatchObject({
      T: { Properties: { V: { 'Fn::ToJsonString': { a: { Ref: 'Stage' } } } } },
    });
  });

  it('say upon which defaults they stand, and upon nothing that nobody has asked for', () => {
    const text = `
Parameters:
  Names: { Type: CommaDelimitedList, Default: 'a,b' }
  Stage: { Type: String, Default: dev }
  Other: { Type: String, Default: x }
Conditions: { IsProd: !Equals [!Ref Stage, prod] }
Metadata: { Mine: 1 }
Resources:
  Fn::ForEach::T: [N, !Ref Names, { 'T\${N}': { Type: X, DeletionPolicy: !If [IsProd, Retain, Delete], V: !Ref Other } }]
`;
    expect(expand(text)['Metadata']).toEqual({ Mine: 1, PlimsollAssumes: { Names: 'a,b', Stage: 'dev' } });
    expect(expand(text, { Names: 'c' })['Metadata']).toEqual({ Mine: 1, PlimsollAssumes: { Stage: 'dev' } });
    expect(expand(text, { Names: 'c', Stage: 'prod' })['Metadata']).toEqual({ Mine: 1 });
  });

  it('say what becomes of a resource when it goes', () => {
    const text = `
Parameters: { Stage: { Type: String, Default: dev } }
Conditions: { IsProd: !Equals [!Ref Stage, prod] }
Resources: { T: { Type: AWS::DynamoDB::Table, DeletionPolicy: !If [IsProd, Retain, Delete] } }
`;
    expect(expand(text)['Resources']).toMatchObject({ T: { DeletionPolicy: 'Delete' } });
    expect(expand(text, { Stage: 'prod' })['Resources']).toMatchObject({ T: { DeletionPolicy: 'Retain' } });
  });
});

it('a template without the transform stays as it is', () => {
  const document = { Resources: { 'Fn::ForEach::X': ['N', ['A'], {}] } };
  expect(withoutLanguageExtensions(document, 'template.yaml', {})).toBe(document);
});

it('functions that a loop makes are functions of the project', () => {
  const { functions } = readTemplate(
    `${HEAD}
Globals: { Function: { Runtime: python3.12, Handler: app.handler } }
Resources:
  Fn::ForEach::Functions:
    - Name
    - [Alpha, Beta]
    - \${Name}Function:
        Type: AWS::Serverless::Function
        Properties: { CodeUri: !Sub 'src/\${Name}', Environment: { Variables: { NAME: '\${Name}' } } }
`,
    'template.yaml',
  );
  expect(functions).toMatchObject([
    { logicalId: 'AlphaFunction', codeUri: 'src/Alpha', environment: { NAME: 'Alpha' } },
    { logicalId: 'BetaFunction', codeUri: 'src/Beta', environment: { NAME: 'Beta' } },
  ]);
});

/** What is known of a node at whatever depth in its place: SAM puts the values of parameters in, too. */
function filled(node: unknown, scope: Scope): unknown {
  const known = resolve(node, scope);
  const value = known === UNKNOWN ? node : known;
  if (Array.isArray(value)) return value.map((item) => filled(item, scope));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, filled(item, scope)]));
}

// NAME.sam.json is what SAM CLI 1.170 makes of NAME.yaml: samcli.lib.cfn_language_extensions, expand_language_extensions.
it.each(['functions', 'nested', 'answers'])('a template means what it means to SAM: %s', async (name) => {
  const text = (file: string) => readFile(new URL(`language-extensions/${file}`, import.meta.url), 'utf8');
  const written = parseTemplate(await text(`${name}.yaml`), name) as Record<string, unknown>;
  const ours = withoutLanguageExtensions(written, name, {});
  const theirs = JSON.parse(await text(`${name}.sam.json`)) as Record<string, unknown>;
  const scope = { ...scopeOf(written, {}), conditions: {} };
  for (const section of ['Resources', 'Outputs', 'Conditions'])
    expect(filled(ours[section], scope)).toEqual(filled(theirs[section], scope));
  expect([ours['Transform'] ?? []].flat()).not.toContain('AWS::LanguageExtensions');
});

it('a project with a loop, an included file and a map with a default is read as it comes', async () => {
  const root = fileURLToPath(new URL('../../projects/fixtures/language-extensions', import.meta.url));
  const { functions, template, unreleasable } = await loadProject(root);
  expect(functions.map(({ logicalId, codeUri, memoryMb }) => [logicalId, codeUri, memoryMb])).toEqual([
    ['ordersFunction', 'src/orders', 256],
    ['invoicesFunction', 'src/invoices', 128],
    ['usersFunction', 'src/users', 128],
  ]);
  expect(template.document).toMatchObject({
    Transform: 'AWS::Serverless-2016-10-31',
    Resources: { Storage: { Type: 'AWS::S3::Bucket' } },
    Outputs: { usersArn: { Value: { 'Fn::GetAtt': ['usersFunction', 'Arn'] } } },
  });
  expect(unreleasable).toEqual([]);
});
