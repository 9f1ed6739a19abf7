import { MetricUnit } from '@aws-lambda-powertools/metrics';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { z } from 'zod';
import { failureMessage, failureSchema, outcomeSchema } from '../core/release/record.ts';
import { releaseSchema } from '../core/release/release.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({
  release: releaseSchema,
  outcome: outcomeSchema,
  execution: z.string(),
  failure: failureSchema.nullish(),
  /** Bytes of the whole, unzipped and zipped, where it came that far. */
  sizes: z.object({ total: z.int(), zipped: z.int() }).nullish(),
});

interface Clients {
  dynamodb: DynamoDBClient;
  table: string;
}

interface Output {
  /** From the start of the execution to now, in ms. */
  ms: number;
  message: string;
}

/** Writes the release's record: pk stack#NAME, sk release#ID. Written twice, it is the same. */
export async function recordRelease(
  input: z.output<typeof inputSchema>,
  { dynamodb, table }: Clients,
): Promise<Output> {
  const { release, outcome, execution, failure, sizes } = input;
  const ms = Date.now() - Date.parse(release.startedAt);
  const message = failure ? failureMessage(failure) : '';
  await dynamodb.send(
    new PutItemCommand({
      TableName: table,
      Item: {
        pk: { S: `stack#${release.stackName}` },
        sk: { S: `release#${release.id}` },
        outcome: { S: outcome },
        execution: { S: execution },
        source: { S: JSON.stringify(release.source) },
        startedAt: { S: release.startedAt },
        ms: { N: String(ms) },
        ...(sizes ? { bytes: { N: String(sizes.total) }, zipped: { N: String(sizes.zipped) } } : {}),
        ...(failure ? { error: { S: failure.Error }, message: { S: message.slice(0, 10_000) } } : {}),
      },
    }),
  );
  return { ms, message };
}

export const handler = lambdaHandler('RecordRelease', inputSchema, async (input, { metrics }) => {
  const output = await recordRelease(input, {
    dynamodb: new DynamoDBClient(),
    table: setting('RELEASES_TABLE'),
  });
  metrics.addDimension('Stack', input.release.stackName);
  metrics.addMetric(input.outcome === 'RELEASED' ? 'Releases' : 'FailedReleases', MetricUnit.Count, 1);
  metrics.addMetric('ReleaseDuration', MetricUnit.Milliseconds, output.ms);
  return output;
});
