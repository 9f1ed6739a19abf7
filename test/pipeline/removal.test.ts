import { CreateLogGroupCommand } from '@aws-sdk/client-cloudwatch-logs';
import { CreateTableCommand, UpdateContinuousBackupsCommand } from '@aws-sdk/client-dynamodb';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { CreateQueueCommand } from '@aws-sdk/client-sqs';
import { beforeAll, describe, expect, it } from 'vitest';
import { accept } from '../../cli/acceptance/acceptance.ts';
import { openClients } from '../../cli/acceptance/clients.ts';
import { kindsOf } from '../../cli/acceptance/kinds.ts';
import { newName } from '../../cli/acceptance/name.ts';
import { removeAll } from '../../cli/acceptance/remove.ts';
import '../support/aws.ts';
import { plimsoll } from '../support/command.ts';

/** Two acceptances of one account: the first is removed. */
const [NAME, OTHER] = ['PlimsollAccept0a0b0c', 'PlimsollAccept0a0b0d'] as const;

describe('what is left of an acceptance that was cut off', () => {
  const clients = openClients();
  const listed = async (name: string) => {
    const found = await Promise.all(
      kindsOf(clients).map(async ({ what, list }) => [what, await list(name)] as const),
    );
    return Object.fromEntries(found.filter(([, ids]) => ids.length > 0));
  };

  const makeTable = (TableName: string) =>
    clients.dynamodb.send(
      new CreateTableCommand({
        TableName,
        BillingMode: 'PAY_PER_REQUEST',
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      }),
    );

  beforeAll(async () => {
    for (const name of [NAME, OTHER]) {
      const Bucket = `${name.toLowerCase()}-storagesources-1`;
      await clients.s3.send(new CreateBucketCommand({ Bucket }));
      await clients.s3.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }),
      );
      for (const Body of ['one', 'two'])
        await clients.s3.send(new PutObjectCommand({ Bucket, Key: 'a', Body }));
      // A marker: the bucket looks empty, and is not.
      await clients.s3.send(new DeleteObjectCommand({ Bucket, Key: 'a' }));
      const TableName = `${name}-StorageReleases-1`;
      await makeTable(TableName);
      const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: true };
      await clients.dynamodb.send(
        new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }),
      );
      await clients.sqs.send(new CreateQueueCommand({ QueueName: `${name}-inbox` }));
      for (const logGroupName of [
        `/aws/lambda/${name.toLowerCase()}-example-Hello-1`,
        `/aws/lambda/${name}-probe-1`,
      ])
        await clients.logs.send(new CreateLogGroupCommand({ logGroupName }));
    }
  });

  /** @param times that DynamoDB answers with an error when a table is to be deleted */
  const withFaultyTables = (times: number) => {
    const faulty = openClients();
    let left = times;
    faulty.dynamodb.middlewareStack.add(
      (next, { commandName }) =>
        (args) => {
          if (commandName === 'DeleteTableCommand' && left-- > 0)
            throw new Error('Attempt to change a resource which is still in use');
          return next(args);
        },
      { step: 'initialize' },
    );
    return faulty;
  };

  it('is named where it cannot be removed, and the rest is removed all the same', async () => {
    const name = 'PlimsollAccept0a0b0e';
    const TableName = `${name}-StorageReleases-1`;
    await makeTable(TableName);
    await clients.sqs.send(new CreateQueueCommand({ QueueName: `${name}-inbox` }));
    const removal = await removeAll(name, withFaultyTables(Number.POSITIVE_INFINITY), () => {});
    expect(removal.left).toEqual([{ what: 'tables', ids: [TableName] }]);
    expect(removal.failures).toEqual([
      `removing tables: ${TableName}: Attempt to change a resource which is still in use`,
    ]);
    // What fails once is tried again.
    expect(await removeAll(name, withFaultyTables(1), () => {})).toEqual({
      removed: new Map([['tables', 1]]),
      failures: [],
      left: [],
    });
  });

  it('is removed, buckets with old versions and markers included, and nothing of another one', async () => {
    const before = await listed(OTHER);
    expect(Object.keys(before)).toEqual(['queues', 'buckets', 'tables', 'log groups']);
    expect(Object.keys(await listed(NAME))).toEqual(Object.keys(before));
    const removal = await removeAll(NAME, clients, () => {});
    expect(removal.failures).toEqual([]);
    expect(removal.left).toEqual([]);
    expect([...removal.removed]).toEqual([
      ['queues', 1],
      ['buckets', 1],
      ['tables', 1],
      ['log groups', 2],
    ]);
    expect(await listed(NAME)).toEqual({});
    expect(await listed(OTHER)).toEqual(before);
  });

  it('is looked for and removed after a step that failed, too', async () => {
    const install = () => Promise.reject(new Error('the pipeline could not be deployed'));
    const place = { install, reachable: (url: string) => url, close: async () => {} };
    const begun: string[] = [];
    const listener = { begin: (step: string) => begun.push(step), tell: () => {} };
    const { signal } = new AbortController();
    const outcome = await accept(newName(), place, { signal, json: true }, listener);
    expect(outcome.results).toEqual([
      expect.objectContaining({ verdict: 'failed', found: 'the pipeline could not be deployed' }),
    ]);
    expect(begun).toEqual(['Install the pipeline', 'Remove everything']);
    expect(outcome.removal).toEqual({ removed: new Map(), failures: [], left: [] });
  });

  it('can be removed again, and then there is nothing', async () => {
    const removal = await removeAll(NAME, clients, () => {});
    expect(removal).toEqual({ removed: new Map(), failures: [], left: [] });
  });

  it('is removed by the command, which says what it was and that nothing is left', async () => {
    const { code, stdout } = await plimsoll('acceptance', '--remove', OTHER);
    expect(stdout).toMatch(/Remove everything +passed .* 1 queues, 1 buckets, 1 tables, 2 log groups/);
    expect(stdout).toMatch(/Nothing is left +passed/);
    expect(code).toBe(0);
    expect(await listed(OTHER)).toEqual({});
  });
});
