import {
  type CloudWatchLogsClient,
  DescribeLogGroupsCommand,
  type LogGroup,
} from '@aws-sdk/client-cloudwatch-logs';

/** The log group of a function, where it has one. @param functionName physical name */
export async function logGroupOf(
  logs: CloudWatchLogsClient,
  functionName: string,
): Promise<LogGroup | undefined> {
  const name = `/aws/lambda/${functionName}`;
  const { logGroups = [] } = await logs.send(new DescribeLogGroupsCommand({ logGroupNamePrefix: name }));
  return logGroups.find(({ logGroupName }) => logGroupName === name);
}
