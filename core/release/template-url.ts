/**
 * Address of a template in a bucket, as CloudFormation takes it: path style works in each region, for buckets whose names
 * have dots, too (CloudFormation template reference: TemplateURL).
 */
export const templateUrl = (region: string, bucket: string, key: string): string =>
  `https://s3.${region}.amazonaws.com/${bucket}/${key}`;
