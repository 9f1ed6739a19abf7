import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchClient } from '@aws-sdk/client-cloudwatch';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { CodeBuildClient } from '@aws-sdk/client-codebuild';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { IAMClient } from '@aws-sdk/client-iam';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { SNSClient } from '@aws-sdk/client-sns';
import { SQSClient } from '@aws-sdk/client-sqs';

/** The account, as an acceptance looks at it. Region and credentials come from the environment. */
export const openClients = () => {
  // A removal goes on where AWS is busy: it is worse to leave something than to wait.
  const options = { maxAttempts: 8 };
  return {
    cloudformation: new CloudFormationClient(options),
    cloudwatch: new CloudWatchClient(options),
    codebuild: new CodeBuildClient(options),
    dynamodb: new DynamoDBClient(options),
    iam: new IAMClient(options),
    lambda: new LambdaClient(options),
    logs: new CloudWatchLogsClient(options),
    s3: new S3Client(options),
    sfn: new SFNClient(options),
    sns: new SNSClient(options),
    // The endpoint is the configuration's, as for all others, and not the host in a queue's URL.
    sqs: new SQSClient({ ...options, useQueueUrlAsEndpoint: false }),
  };
};
export type Clients = ReturnType<typeof openClients>;
