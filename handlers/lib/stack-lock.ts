import {
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeExecutionCommand, ExecutionDoesNotExist, SFNClient } from '@aws-sdk/client-sfn';
import { StackLockedError } from '../../core/errors.ts';
import { type Lock, lockSchema } from '../../core/release/lock.ts';
import type { Release } from '../../core/release/release.ts';
import { lockKey } from '../../core/release/table.ts';
import { setting } from './handler.ts';

/** The lock of each stack, in the releases table. Every change is conditional on what was read: of ten at once one wins. */
export class StackLock {
  constructor(
    private readonly dynamodb: DynamoDBClient,
    private readonly table: string,
    private readonly sfn: SFNClient,
  ) {}

  /** The locks in the table that the stack has set on the function. @throws InvalidInputError */
  static ofPipeline(): StackLock {
    return new StackLock(new DynamoDBClient(), setting('RELEASES_TABLE'), new SFNClient());
  }

  async read(stackName: string): Promise<Lock | undefined> {
    const { Item } = await this.dynamodb.send(
      new GetItemCommand({ TableName: this.table, Key: lockKey(stackName), ConsistentRead: true }),
    );
    if (!Item) return undefined;
    return lockSchema.parse({
      owner: Item['owner']?.S,
      release: JSON.parse(Item['release']?.S ?? ''),
      claim: Item['claim']?.S,
      stuck: Item['stuck']?.S,
    });
  }

  /** @returns whether it is ours now; a retry of the execution that holds it goes on. @param instead the holder that gives way */
  async take(lock: Lock, instead?: string): Promise<boolean> {
    const { owner, release, claim } = lock;
    const command = new PutItemCommand({
      TableName: this.table,
      Item: {
        ...lockKey(release.stackName),
        owner: { S: owner },
        release: { S: JSON.stringify(release) },
        releaseId: { S: release.id },
        claim: { S: claim },
      },
      ConditionExpression: 'attribute_not_exists(pk) OR #owner = :me OR #owner = :instead',
      ExpressionAttributeNames: { '#owner': 'owner' },
      ExpressionAttributeValues: { ':me': { S: owner }, ':instead': { S: instead ?? owner } },
    });
    return conditionally(this.dynamodb.send(command));
  }

  /** Gives up the lock of a release; where another release or execution has it, nothing happens. */
  async free(release: Release, owner: string): Promise<void> {
    const command = new DeleteItemCommand({
      TableName: this.table,
      Key: lockKey(release.stackName),
      ConditionExpression: 'releaseId = :id AND #owner = :me',
      ExpressionAttributeNames: { '#owner': 'owner' },
      ExpressionAttributeValues: { ':id': { S: release.id }, ':me': { S: owner } },
    });
    await conditionally(this.dynamodb.send(command));
  }

  /**
   * A handler goes on though its execution was stopped: Lambda is not told. Before it changes anything it asks whose the
   * stack is. @throws StackLockedError where the release is another execution's to roll back
   */
  async refuseStopped(release: Release, execution: string): Promise<void> {
    const owner = (await this.read(release.stackName))?.owner;
    if (owner === execution) return;
    throw new StackLockedError(
      `release ${release.id} of ${release.stackName} was stopped; ${owner ?? 'nobody'} has its lock now`,
    );
  }

  /** Keeps the lock until a human has repaired the stack. */
  async keep(release: Release, why: string): Promise<void> {
    const command = new UpdateItemCommand({
      TableName: this.table,
      Key: lockKey(release.stackName),
      UpdateExpression: 'SET stuck = :why',
      ConditionExpression: 'releaseId = :id',
      ExpressionAttributeValues: { ':id': { S: release.id }, ':why': { S: why } },
    });
    await conditionally(this.dynamodb.send(command));
  }

  /** How an execution fares, and its error where it failed; nothing where Step Functions does not know it (any more). */
  async stateOf(executionArn: string): Promise<{ status?: string | undefined; error?: string | undefined }> {
    try {
      return await this.sfn.send(new DescribeExecutionCommand({ executionArn }));
    } catch (error) {
      if (error instanceof ExecutionDoesNotExist) return {};
      throw error;
    }
  }
}

/** Whether the condition of a write held. */
async function conditionally(sent: Promise<unknown>): Promise<boolean> {
  try {
    await sent;
    return true;
  } catch (error) {
    if (error instanceof ConditionalCheckFailedException) return false;
    throw error;
  }
}
