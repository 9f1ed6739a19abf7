import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { InvalidParameterValueException, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import type { PlannedFunction } from '../../../core/release/build-plan.ts';
import { ArtifactBucket } from '../../../handlers/lib/artifact-bucket.ts';
import { withTemporaryFunction } from '../../../handlers/lib/temporary-function.ts';
import type { ValidatedArtifacts } from '../../../handlers/lib/validated.ts';
import { answering } from '../../support/answering.ts';

const invalid = (message: string) =>
  new InvalidParameterValueException({ message, $metadata: { httpStatusCode: 400 } });
const NEW_ROLE = invalid('The role defined for the function cannot be assumed by Lambda.');
const TOO_LARGE = invalid('Function code combined with layers exceeds the maximum allowed size');

const SHA256 = 'ab'.repeat(32);

/** Lends a function where CreateFunction answers with these errors first. */
async function lend(errors: readonly Error[]) {
  const left = [...errors];
  const { client: lambda, asked } = answering(new LambdaClient({ region: 'us-east-1' }), (call) => {
    if (call === 'GetFunction') return { Configuration: { State: 'Active' } };
    const error = call === 'CreateFunction' ? left.shift() : undefined;
    if (error) throw error;
    return { CodeSha256: Buffer.from(SHA256, 'hex').toString('base64') };
  });
  const { client: logs } = answering(new CloudWatchLogsClient({ region: 'us-east-1' }), () => ({}));
  const bucket = new ArtifactBucket(new S3Client({ region: 'us-east-1' }), 'artifacts');
  const validated = {
    find: () => ({ key: 'functions/x.zip', sha256: SHA256 }),
  } as unknown as ValidatedArtifacts;
  const fn = { name: 'Hello', runtime: 'python3.11', architecture: 'x86_64' } as PlannedFunction;
  const rest = { FunctionName: 'temporary', Role: 'arn:aws:iam::123456789012:role/new' };
  const end = await withTemporaryFunction(
    { lambda, logs, bucket, validated },
    fn,
    rest,
    async (name) => name,
    { intervalMs: 1, totalMs: 10_000 },
  ).catch((error: Error) => error);
  return { end, calls: asked.map(({ call }) => call) };
}

describe('a temporary function', () => {
  it('is asked for again while IAM spreads its role', async () => {
    const { end, calls } = await lend([NEW_ROLE, NEW_ROLE]);
    expect(end).toBe('temporary');
    expect(calls.filter((call) => call === 'CreateFunction')).toHaveLength(3);
  });

  it('is not asked for again where something else is wrong with it, and nothing is left behind', async () => {
    const { end, calls } = await lend([TOO_LARGE]);
    expect(end).toBe(TOO_LARGE);
    expect(calls).toEqual(['CreateFunction', 'DeleteFunction']);
  });
});
