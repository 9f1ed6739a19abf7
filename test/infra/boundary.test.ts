import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { covers } from '../../infra/aws/facts.ts';
import { PipelineStack } from '../../infra/pipeline-stack.ts';
import { policiesOf } from '../support/policies.ts';
import sam from './sam-policy-templates.json' with { type: 'json' };

/** What SAM's policy templates grant and the boundary does not let through, with the reason; a star stands for anything. */
const BEYOND: Readonly<Record<string, string>> = {
  'athena:*Engine*': 'Not in the Service Authorization Reference any more.',
  'athena:*Name*': 'Queries with names are made by templates; the rest is not in the reference any more.',
  'athena:*Table*': 'Not in the Service Authorization Reference any more.',
  'athena:BatchGet*': 'One by one does, too.',
  'athena:GetCatalogs': 'Not in the Service Authorization Reference any more.',
  'ce:*Reservation*': 'What the account has reserved is not for projects.',
  'cloudformation:*': 'Stacks.',
  'cloudwatch:*Dashboard*': 'Made by templates.',
  'codecommit:*': 'Code of others.',
  'codepipeline:*': 'Releases of others.',
  'comprehend:Batch*': 'Text by text does, too.',
  'dynamodb:*': 'Tables are made, backed up and changed by templates.',
  'ec2:*Image*': 'Servers.',
  'ecs:*': 'Passes roles to containers.',
  'eks:*': 'Servers.',
  'elasticmapreduce:*': 'Servers.',
  'firehose:*': 'Streams are made by templates.',
  'kinesis:*': 'Streams are made by templates.',
  'kms:GenerateDataKeyPair*': 'Rare, and the policy is nearly full.',
  'mobileanalytics:*': 'AWS has ended it.',
  'mobiletargeting:*': 'AWS ends it.',
  'organizations:*': 'Accounts.',
  'polly:*Lexicon': 'Lexicons are the account’s.',
  'rekognition:CreateCollection': 'Collections are the account’s.',
  'route53:*': 'Names in hosted zones are the account’s.',
  's3:*Lifecycle*': 'How long objects are kept is said by templates.',
  's3:*VersionTagging': 'Rare, and the policy is nearly full.',
  's3:Put*': 'Who may read an object, and for how long it is kept, is said by templates.',
  'sagemaker:Create*': 'Passes roles to servers.',
  'serverlessrepo:*': 'Applications of others.',
  'ses:*Template': 'Made by templates.',
  'ses:VerifyEmailIdentity': 'Identities are the account’s.',
  'sns:*Topic*': 'Topics are made by templates.',
  'sqs:*': 'A batch is allowed by the action for one message.',
  'textract:[*]': 'What reads documents is allowed by name.',
};

describe('the boundary of the roles of projects', () => {
  const [boundary] = policiesOf(Template.fromStack(new PipelineStack(new App(), 'Plimsoll'))).filter(
    ({ statements }) => statements.some(({ actions }) => actions.includes('bedrock:InvokeModel')),
  );
  const allowed = boundary?.statements.find(({ effect }) => effect === 'Allow')?.actions ?? [];
  const granted = Object.values(sam.templates).flat();
  const isBeyond = (pattern: string, action: string) =>
    pattern.includes('[*]') ? pattern.replace('[*]', '*') === action : covers(pattern, action);

  it('lets through what SAM’s policy templates grant, save with a reason that still holds', () => {
    const missing = granted.filter((action) => !allowed.includes(action));
    expect(
      missing.filter((action) => !Object.keys(BEYOND).some((pattern) => isBeyond(pattern, action))),
    ).toEqual([]);
    expect(
      Object.keys(BEYOND).filter((pattern) => !missing.some((action) => isBeyond(pattern, action))),
    ).toEqual([]);
  });
});
