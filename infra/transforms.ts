import { Aws } from 'aws-cdk-lib';

/**
 * ARNs of the transforms that templates of projects may name: who makes a change set needs leave for them, and so does the role
 * that CloudFormation acts with, for nested stacks. CloudFormation user guide, "Control access with IAM".
 */
export const TRANSFORMS = ['Serverless-2016-10-31', 'LanguageExtensions'].map(
  (name) => `arn:${Aws.PARTITION}:cloudformation:${Aws.REGION}:aws:transform/${name}`,
);
