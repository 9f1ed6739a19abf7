import {
  DeleteTableCommand,
  paginateListTables,
  UpdateContinuousBackupsCommand,
  waitUntilTableNotExists,
} from '@aws-sdk/client-dynamodb';
import {
  DeleteBucketCommand,
  DeleteObjectsCommand,
  ListObjectVersionsCommand,
  paginateListBuckets,
} from '@aws-sdk/client-s3';
import type { Clients } from './clients.ts';
import type { Kind } from './kind.ts';
import { belongsTo } from './name.ts';

/** What outlives the pipeline's stack on purpose (infra/storage.ts): an acceptance wants none of it. */

/** Deletes all versions and delete markers of a bucket, page by page. @throws Error naming what S3 keeps */
async function empty({ s3 }: Clients, Bucket: string): Promise<void> {
  for (;;) {
    // What is deleted is on no later page, so that the first one is read again.
    const { Versions = [], DeleteMarkers = [] } = await s3.send(new ListObjectVersionsCommand({ Bucket }));
    const Objects = [...Versions, ...DeleteMarkers].map(({ Key = '', VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) return;
    const { Errors = [] } = await s3.send(
      new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
    );
    const [first] = Errors;
    if (first) throw new Error(`s3://${Bucket}/${first.Key}: ${first.Code}: ${first.Message}`);
  }
}

export const buckets = (clients: Clients): Kind => ({
  what: 'buckets',
  list: async (name) => {
    const names: string[] = [];
    for await (const { Buckets = [] } of paginateListBuckets({ client: clients.s3 }, {}))
      names.push(...Buckets.flatMap(({ Name }) => Name ?? []));
    return names.filter((bucket) => belongsTo(name, bucket));
  },
  remove: async (Bucket) => {
    await empty(clients, Bucket);
    await clients.s3.send(new DeleteBucketCommand({ Bucket }));
  },
});

export const tables = ({ dynamodb: client }: Clients): Kind => ({
  what: 'tables',
  list: async (name) => {
    const found: string[] = [];
    for await (const { TableNames = [] } of paginateListTables({ client }, {})) found.push(...TableNames);
    return found.filter((one) => belongsTo(name, one));
  },
  remove: async (TableName) => {
    // With point-in-time recovery, DynamoDB keeps a backup of a deleted table for 35 days (DynamoDB developer guide).
    const PointInTimeRecoverySpecification = { PointInTimeRecoveryEnabled: false };
    await client.send(new UpdateContinuousBackupsCommand({ TableName, PointInTimeRecoverySpecification }));
    await client.send(new DeleteTableCommand({ TableName }));
    await waitUntilTableNotExists({ client, maxWaitTime: 300, minDelay: 1, maxDelay: 5 }, { TableName });
  },
});
