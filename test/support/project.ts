import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { packProject } from '../../cli/pack.ts';

/** Files of a project by path; undefined leaves a file of the base project out. */
export type Files = Record<string, string | undefined>;

const TEMPLATE = `AWSTemplateFormatVersion: '2010-09-09'
Transform: AWS::Serverless-2016-10-31
Parameters:
  Greeting:
    Type: String
    Default: hello
Resources:
  UtilsLayer:
    Type: AWS::Serverless::LayerVersion
    Metadata: { BuildMethod: python3.11 }
    Properties:
      ContentUri: layers/utils/
      CompatibleRuntimes: [python3.11]
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/hello/
      Handler: app.handler
      Runtime: python3.11
      Timeout: 10
      Layers: [!Ref UtilsLayer]
      Environment:
        Variables: { GREETING: !Ref Greeting }
      Events:
        Hello:
          Type: Api
          Properties: { Path: /hello, Method: get }
`;

const APP = `import json
import os

import six


def handler(event, context):
    name = (event.get("queryStringParameters") or {}).get("name", "you")
    return {"statusCode": 200, "body": json.dumps({"text": f"{os.environ['GREETING']} {six.ensure_str(name)}", "version": 1})}
`;

/** A small project that builds in a second: one layer, one function behind GET /hello. */
export const BASE: Files = {
  'template.yaml': TEMPLATE,
  'plimsoll.yaml': 'smoke:\n  endpoints:\n    - get: /hello?name=test\n      body: { text: hello test }\n',
  'layers/utils/requirements.txt': 'six==1.16.0\n',
  'functions/hello/app.py': APP,
  'functions/hello/smoke/you.json': '{"event": {}, "expect": {"statusCode": 200}}\n',
};

/** Writes a project into a new folder. The caller removes it. */
export async function writeProject(files: Files): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'plimsoll-test-'));
  for (const [path, text] of Object.entries(files)) {
    if (text === undefined) continue;
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

/** The base project's files behind an alias, with its answer's version. */
export const aliased = (version: number): Files => ({
  ...changed('template.yaml', '      Timeout: 10\n', '      Timeout: 10\n      AutoPublishAlias: live\n'),
  ...changed('functions/hello/app.py', '"version": 1', `"version": ${version}`),
});

/** The function of the base project behind the same alias, as somebody would deploy it without the pipeline. */
export const DEPLOYED_BY_OTHERS = `Transform: AWS::Serverless-2016-10-31
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      InlineCode: |
        import json
        def handler(event, context):
            return {"statusCode": 200, "body": json.dumps({"version": 0})}
      Handler: index.handler
      Runtime: python3.11
      Timeout: 10
      AutoPublishAlias: live
      Events:
        Hello:
          Type: Api
          Properties: { Path: /hello, Method: get }
`;

/** The zip of the base project with some files changed. */
export async function projectZip(changes: Files = {}): Promise<Buffer> {
  const root = await writeProject({ ...BASE, ...changes });
  const workdir = await mkdtemp(join(tmpdir(), 'plimsoll-test-zip-'));
  try {
    return await readFile((await packProject(root, workdir)).path);
  } finally {
    await rm(root, { recursive: true, force: true });
    await rm(workdir, { recursive: true, force: true });
  }
}

/** One file of the base project with a text replaced. @throws Error where the text is not there */
export function changed(path: string, from: string, to: string): Files {
  const text = BASE[path];
  if (!text?.includes(from)) throw new Error(`${path} does not hold ${from}`);
  return { [path]: text.replace(from, to) };
}
