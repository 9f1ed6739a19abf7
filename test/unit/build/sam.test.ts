import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { expandSam } from '../../../core/build/sam.ts';

it('the SAM transform is expanded, and the one that CloudFormation has still to expand is left', async () => {
  const workdir = await mkdtemp(join(tmpdir(), 'expand-sam-'));
  const value = { 'Fn::ToJsonString': { table: { Ref: 'Table' } } };
  const expand = (Transform: unknown) =>
    expandSam({
      template: {
        Transform,
        Resources: {
          Table: { Type: 'AWS::Serverless::SimpleTable' },
          Topic: { Type: 'AWS::SNS::Topic', Properties: { DisplayName: value } },
        },
      },
      parameters: {},
      region: 'eu-west-1',
      workdir,
    });
  try {
    const expanded = await expand(['AWS::LanguageExtensions', 'AWS::Serverless-2016-10-31']);
    expect(expanded).toMatchObject({
      Transform: 'AWS::LanguageExtensions',
      Resources: { Table: { Type: 'AWS::DynamoDB::Table' }, Topic: { Properties: { DisplayName: value } } },
    });
    expect(await expand('AWS::Serverless-2016-10-31')).not.toHaveProperty('Transform');
  } finally {
    await rm(workdir, { recursive: true });
  }
});
