import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { CloudWatchLogsClient } from '@aws-sdk/client-cloudwatch-logs';
import { InvalidParameterValueException, LambdaClient } from '@aws-sdk/client-lambda';
import { S3Client } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { keys } from '../../../core/release/release.ts';
import { ArtifactBucket } from '../../../handlers/lib/artifact-bucket.ts';
import { smokeTestTwins } from '../../../handlers/smoke-test-twins.ts';
import { answering } from '../../support/answering.ts';
import { release } from '../../support/release.ts';

const SHA256 = 'ab'.repeat(32);
const template = { Resources: { Hello: { Type: 'AWS::Serverless::Function', Properties: {} } } };
const hello = {
  logicalId: 'Hello',
  name: 'Hello',
  key: 'k1',
  layers: [],
  foreignLayers: 0,
  handler: 'app.handler',
  runtime: 'python3.11',
  architecture: 'x86_64',
  environment: {},
  smoke: [{ name: 'you', event: {}, expect: { statusCode: 200 } }],
};

/** What the handler reads, and what it writes. */
class Bucket extends ArtifactBucket {
  stored: unknown;
  override load = async () => ({ existed: true, templateKey: 'before.json' }) as never;
  override readText = async () => JSON.stringify(template);
  override readJson = async (key: string) => {
    if (key === keys.plan(release)) return { functions: [hello], layers: [] } as never;
    if (key === keys.template(release)) return template as never;
    return { [keys.zip('function', 'Hello', 'k1')]: { sha256: SHA256 } } as never;
  };
  override store = async (key: string, value: unknown) => {
    this.stored = value;
    return { key, bytes: 1, sha256: '' };
  };
}

/** The twins of a stack with one function, behind an alias or not; CreateFunction answers with the error, if there is one. */
async function proveHello({ error, aliased = false }: { error?: Error; aliased?: boolean } = {}) {
  const { client: lambda, asked } = answering(new LambdaClient({ region: 'us-east-1' }), (call) => {
    if (call === 'GetFunctionConfiguration') return { Role: 'arn:aws:iam::123456789012:role/shop' };
    if (call === 'GetFunction') return { Configuration: { State: 'Active' } };
    if (call === 'CreateFunction' && error) throw error;
    if (call === 'Invoke')
      return { Payload: { transformToString: () => '{"statusCode": 200}' }, LogResult: '' };
    return { CodeSha256: Buffer.from(SHA256, 'hex').toString('base64') };
  });
  const { client: cloudformation } = answering(new CloudFormationClient({ region: 'us-east-1' }), () => ({
    StackResourceSummaries: [
      { LogicalResourceId: 'Hello', ResourceType: 'AWS::Lambda::Function', PhysicalResourceId: 'shop-Hello' },
      ...(aliased
        ? [
            {
              LogicalResourceId: 'HelloAliaslive',
              ResourceType: 'AWS::Lambda::Alias',
              PhysicalResourceId: 'arn:aws:lambda:us-east-1:123456789012:function:shop-Hello:live',
            },
          ]
        : []),
    ],
  }));
  const { client: logs } = answering(new CloudWatchLogsClient({ region: 'us-east-1' }), () => ({}));
  const bucket = new Bucket(new S3Client({ region: 'us-east-1' }), 'artifacts');
  const patience = { intervalMs: 1, totalMs: 20 };
  const output = await smokeTestTwins(
    { release, snapshot: { key: 'snapshot.json', bytes: 1, sha256: '' }, layers: {}, batch: 0 },
    { cloudformation, lambda, logs, bucket, pipeline: 'Plimsoll', patience },
  );
  return { output, report: bucket.stored, calls: asked.map(({ call }) => call) };
}

describe('a function of a live stack', () => {
  it('is proven by a twin, which is deleted', async () => {
    const { output, report, calls } = await proveHello();
    expect(output.unproven).toEqual([]);
    expect(report).toMatchObject({ passed: [{ check: expect.stringContaining('temporary twin') }] });
    expect(calls.at(-1)).toBe('DeleteFunction');
  });

  it('is named with the reason where its role lets no other function assume it', async () => {
    const message = 'The role defined for the function cannot be assumed by Lambda.';
    const error = new InvalidParameterValueException({ message, $metadata: { httpStatusCode: 400 } });
    const { output, report } = await proveHello({ error });
    expect(output.unproven).toEqual(['Hello: its role lets no other function assume it']);
    expect(report).toEqual({
      passed: [],
      skipped: [{ function: 'Hello', why: 'its role lets no other function assume it' }],
    });
  });

  it('is not called unproven for another error of Lambda: the release fails', async () => {
    const error = new InvalidParameterValueException({
      message: 'Unzipped size must be smaller than 262144000 bytes',
      $metadata: { httpStatusCode: 400 },
    });
    await expect(proveHello({ error })).rejects.toThrow('Unzipped size');
  });

  it('that an alias holds back has no twin: it is proven by its number', async () => {
    const { output, calls } = await proveHello({ aliased: true });
    expect(output.unproven).toEqual([]);
    expect(calls).toEqual([]);
  });
});
