import type { Files } from './project.ts';

export interface Many {
  /** Nested stacks, and functions in each of them. */
  stacks: number;
  functionsEach: number;
  /** So many of the functions of each stack are behind an alias, the others have none. */
  aliasedEach: number;
  /** What the functions answer: another version is other code. */
  version: number;
}

const fn = (index: number, aliased: boolean) => `  F${index}:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: f${index}/
      Layers: [!Ref Shared]
${aliased ? '      AutoPublishAlias: live\n' : ''}`;

const app = (where: string, version: number) => `import shared


def handler(event, context):
    return {"function": "${where}", "version": ${version}, "shared": shared.NAME}
`;

/**
 * A project of many tiny functions in nested stacks: one template may have 500 resources (CloudFormation quotas), and SAM makes
 * two of a function, four of one behind an alias. All use one layer, and each has a smoke event.
 */
export function manyFunctions({ stacks, functionsEach, aliasedEach, version }: Many): Files {
  const files: Files = {
    'plimsoll.yaml': 'optimise: { mode: rules }\ntraffic: { steps: [50], bake: 5 }\n',
    'layers/shared/shared.py': 'NAME = "shared"\n',
    'layers/shared/requirements.txt': 'six==1.16.0\n',
  };
  const names = Array.from({ length: stacks }, (_, index) => `Stack${index}`);
  files['template.yaml'] = `Transform: AWS::Serverless-2016-10-31
Resources:
  SharedLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: python3.11 }
    Properties: { ContentUri: layers/shared/ }
${names
  .map(
    (name) => `  ${name}:
    Type: AWS::Serverless::Application
    Properties: { Location: ${name}/template.yaml, Parameters: { Shared: !Ref SharedLayer } }
`,
  )
  .join('')}`;
  for (const name of names) {
    const indices = Array.from({ length: functionsEach }, (_, index) => index);
    files[`${name}/template.yaml`] = `Transform: AWS::Serverless-2016-10-31
Parameters: { Shared: { Type: String } }
Globals: { Function: { Runtime: python3.11, Handler: app.handler, Timeout: 10 } }
Resources:
${indices.map((index) => fn(index, index < aliasedEach)).join('')}`;
    for (const index of indices) {
      const where = `${name}.F${index}`;
      files[`${name}/f${index}/app.py`] = app(where, version);
      const expect = { function: where, version, shared: 'shared' };
      files[`${name}/f${index}/smoke/one.json`] = JSON.stringify({ event: {}, expect });
    }
  }
  return files;
}
