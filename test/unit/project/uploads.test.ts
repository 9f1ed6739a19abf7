import { rm } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type Upload, uploadsOf, withUploads } from '../../../core/project/uploads.ts';
import { writeProject } from '../../support/project.ts';

const SCOPE = { parameters: { Script: 'job.py' }, mappings: {}, conditions: {} };
const at = (Type: string, Properties: object) => ({ Resources: { R: { Type, Properties } } });

async function find(Type: string, properties: object, later: string[] = []): Promise<Upload[]> {
  const root = await writeProject({
    'jobs/job.py': 'print(1)\n',
    'schema.graphql': 'type Query { a: Int }\n',
  });
  try {
    return await uploadsOf(root, 'jobs/template.yaml', at(Type, properties), SCOPE, ({ message }) =>
      later.push(message),
    );
  } finally {
    await rm(root, { recursive: true });
  }
}

describe('files that a template names, as "aws cloudformation package" uploads them', () => {
  it.each<[string, object, string, object]>([
    [
      'AWS::Glue::Job',
      { Command: { Name: 'glueetl', ScriptLocation: { Ref: 'Script' } }, Role: 'r' },
      'jobs/job.py',
      { Command: { Name: 'glueetl', ScriptLocation: 's3://b/k' }, Role: 'r' },
    ],
    [
      'AWS::Serverless::GraphQLApi',
      { SchemaUri: '../schema.graphql' },
      'schema.graphql',
      { SchemaUri: 's3://b/k' },
    ],
    [
      'AWS::ElasticBeanstalk::ApplicationVersion',
      { SourceBundle: '.' },
      'jobs',
      { SourceBundle: { S3Bucket: 'b', S3Key: 'k' } },
    ],
    [
      'AWS::CodeCommit::Repository',
      { Code: { S3: './job.py' } },
      'jobs/job.py',
      { Code: { S3: { Bucket: 'b', Key: 'k' } } },
    ],
  ])('of a %s', async (type, properties, from, expected) => {
    const uploads = await find(type, properties);
    expect(uploads).toMatchObject([{ logicalId: 'R', from }]);
    const places = uploads.map((upload) => ({ upload, place: { bucket: 'b', key: 'k' } }));
    expect(withUploads(at(type, properties), places)).toEqual(at(type, expected));
  });

  it.each([
    ['AWS::Glue::Job', { Command: { ScriptLocation: 's3://bucket/job.py' } }],
    ['AWS::Glue::Job', { Command: { ScriptLocation: { Ref: 'Unknown' } } }],
    ['AWS::Glue::Job', {}],
    ['AWS::SNS::Topic', { SchemaUri: 'schema.graphql' }],
    ['constructor', {}],
  ])('are none in %s %j', async (type, properties) => expect(await find(type, properties)).toEqual([]));

  it('that are not there are no reason not to build, and are named', async () => {
    const later: string[] = [];
    expect(await find('AWS::Glue::Job', { Command: { ScriptLocation: 'gone.py' } }, later)).toEqual([]);
    expect(later).toEqual([
      'jobs/template.yaml: Resources.R.Properties.Command.ScriptLocation: there is no file jobs/gone.py; create it or correct the template',
    ]);
    await expect(find('AWS::Glue::Job', { Command: { ScriptLocation: '../../x.py' } })).rejects.toThrow(
      /\.\.\/\.\.\/x\.py is outside the project/,
    );
  });
});
