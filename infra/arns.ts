import { Aws } from 'aws-cdk-lib';

/** ARN of something in the pipeline's own account and region. */
export const own = (service: string, resource: string): string =>
  `arn:${Aws.PARTITION}:${service}:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;

/** All roles of the account. */
export const ANY_ROLE = `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/*`;
