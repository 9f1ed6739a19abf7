import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { withFiles } from '../../../core/project/inline.ts';
import { type Files, writeProject } from '../../support/project.ts';

const SCOPE = { parameters: { Flow: 'flow.asl.yaml' }, mappings: {}, conditions: {} };
const resource = (Type: string, Properties: object) => ({ Resources: { R: { Type, Properties } } });

async function read(Type: string, properties: object, files: Files = {}, file = 'template.yaml') {
  const root = await writeProject(files);
  try {
    const { Resources } = await withFiles(root, file, resource(Type, properties), SCOPE, (error) => {
      throw error;
    });
    return (Resources as Record<string, { Properties: unknown }>)['R']?.Properties;
  } finally {
    await rm(root, { recursive: true });
  }
}

const FLOW = 'StartAt: Done\nStates:\n  Done: { Type: Succeed }\n';
const ASL = { StartAt: 'Done', States: { Done: { Type: 'Succeed' } } };
const OPENAPI = { openapi: '3.0.1', paths: { '/x': { get: { responses: { '200': {} } } } } };

describe('a file that a template names by its path', () => {
  it.each<[string, object, Files, object]>([
    [
      'AWS::Serverless::StateMachine',
      { DefinitionUri: { Ref: 'Flow' }, DefinitionSubstitutions: { A: 'b' } },
      { 'flow.asl.yaml': FLOW },
      { Definition: ASL, DefinitionSubstitutions: { A: 'b' } },
    ],
    [
      'AWS::StepFunctions::StateMachine',
      { DefinitionS3Location: 'flow.asl.yaml' },
      { 'flow.asl.yaml': FLOW },
      { DefinitionString: JSON.stringify(ASL) },
    ],
    [
      'AWS::Serverless::HttpApi',
      { DefinitionUri: 'a/api.json' },
      { 'a/api.json': JSON.stringify(OPENAPI) },
      { DefinitionBody: OPENAPI },
    ],
    [
      'AWS::ApiGateway::RestApi',
      { BodyS3Location: 'api.json' },
      { 'api.json': JSON.stringify(OPENAPI) },
      { Body: OPENAPI },
    ],
    [
      'AWS::AppSync::Resolver',
      { CodeS3Location: 'code.js', RequestMappingTemplateS3Location: 's3://b/k' },
      { 'code.js': 'export const x = "${1}";\n' },
      { Code: 'export const x = "${1}";\n', RequestMappingTemplateS3Location: 's3://b/k' },
    ],
  ])('of a %s is put into the template', async (type, properties, files, expected) => {
    expect(await read(type, properties, files)).toEqual(expected);
  });

  it('is found from the template’s own folder', async () => {
    const files = { 'flows/flow.asl.yaml': FLOW };
    const properties = { DefinitionUri: '../flows/flow.asl.yaml' };
    expect(await read('AWS::Serverless::StateMachine', properties, files, 'infra/data.yaml')).toEqual({
      Definition: ASL,
    });
  });

  it.each<[string, object]>([
    ['AWS::Serverless::StateMachine', { DefinitionUri: 's3://b/k' }],
    ['AWS::Serverless::StateMachine', { DefinitionUri: { Bucket: 'b', Key: 'k' } }],
    ['AWS::Serverless::StateMachine', { DefinitionUri: { 'Fn::ImportValue': 'x' } }],
    ['AWS::Lambda::Function', { Code: { ZipFile: 'x' } }],
    ['AWS::SNS::Topic', { DefinitionUri: 'topic.yaml' }],
  ])('is none in %s %j', async (type, properties) => {
    expect(await read(type, properties)).toEqual(properties);
  });

  it.each<[string, string, object, Files, RegExp]>([
    [
      'that is not there',
      'AWS::Serverless::Api',
      { DefinitionUri: 'api.yaml' },
      {},
      /R\.Properties\.DefinitionUri: there is no file api\.yaml/,
    ],
    [
      'outside the project',
      'AWS::Serverless::Api',
      { DefinitionUri: '../api.yaml' },
      {},
      /\.\.\/api\.yaml is outside the project/,
    ],
    [
      'that is no definition',
      'AWS::Serverless::Api',
      { DefinitionUri: 'api.yaml' },
      { 'api.yaml': 'text' },
      /api\.yaml: is no map/,
    ],
    [
      'that cannot be read',
      'AWS::Serverless::Api',
      { DefinitionUri: 'api.yaml' },
      { 'api.yaml': 'a: [' },
      /^.*api\.yaml: /,
    ],
  ])('%s is refused by name', async (_what, type, properties, files, message) => {
    await expect(read(type, properties, files)).rejects.toThrow(message);
  });
});
