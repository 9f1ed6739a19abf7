import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SFNClient } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { startSchema } from '../../../core/release/release.ts';
import { ArtifactBucket } from '../../../handlers/lib/artifact-bucket.ts';
import { StackLock } from '../../../handlers/lib/stack-lock.ts';
import { prerequisites } from '../../../handlers/prerequisites.ts';
import { answering } from '../../support/answering.ts';

const REGION = { region: 'us-east-1' };
const TABLE = 'releases';

/** Starts a release of version `versionId` of an upload whose newest one is 2; the stack is not there yet. */
async function begin(versionId: string | undefined, onlyNewest: boolean) {
  const { client: s3 } = answering(new S3Client(REGION), (_call, input) => ({
    ContentLength: 1000,
    VersionId: input['VersionId'] ?? '2',
  }));
  const { client: dynamodb, asked } = answering(new DynamoDBClient(REGION), () => ({}));
  const { client: sfn } = answering(new SFNClient(REGION), () => ({ status: 'RUNNING' }));
  const { client: cloudformation } = answering(new CloudFormationClient(REGION), () => ({ Stacks: [] }));
  const source = { bucket: 'sources', key: 'projects/shop.zip', ...(versionId ? { versionId } : {}) };
  const end = await prerequisites(
    {
      start: startSchema.parse({ source, ...(onlyNewest ? { onlyNewest } : {}) }),
      execution: { id: 'arn:execution', name: 'x', startedAt: '2026-11-26T12:00:00.000Z' },
    },
    {
      s3,
      cloudformation,
      dynamodb,
      table: TABLE,
      pipeline: 'Plimsoll',
      lock: new StackLock(dynamodb, TABLE, sfn),
      bucket: new ArtifactBucket(s3, 'artifacts'),
    },
  ).catch((error: Error) => error);
  return { end, asked: asked.map(({ call }) => call) };
}

describe('the event of an upload', () => {
  it('that comes late, once a newer version is there, releases nothing and takes no lock', async () => {
    const { end, asked } = await begin('1', true);
    expect(end).toMatchObject({
      name: 'AlreadyStartedError',
      message: expect.stringContaining('newer version'),
    });
    expect(asked).toEqual([]);
  });

  it.each([
    ['of the newest version', '2', true, '2'],
    ['of an older version that a person asks for', '1', false, '1'],
    ['without a version, of the newest one', undefined, false, '2'],
  ] as const)('%s starts its release', async (_what, versionId, onlyNewest, released) => {
    const { end } = await begin(versionId, onlyNewest);
    expect(end).toMatchObject({ stackName: 'shop', source: { versionId: released } });
  });
});
