import { Aws } from 'aws-cdk-lib';

/** ARN of something in the pipeline's own account and region. */
export const own = (service: string, resource: string): string =>
  `arn:${Aws.PARTITION}:${service}:${Aws.REGION}:${Aws.ACCOUNT_ID}:${resource}`;

/** Layer versions of every account in the pipeline's region. A permission on them says why. */
export const ANY_LAYER = `arn:${Aws.PARTITION}:lambda:${Aws.REGION}:*:layer:*:*`;
export const LAYERS_WHY = 'Layers belong to other accounts, whose policies say who may use them.';

/** All roles of the account. */
export const ANY_ROLE = `arn:${Aws.PARTITION}:iam::${Aws.ACCOUNT_ID}:role/*`;
