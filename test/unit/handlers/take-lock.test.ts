import type { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { ConditionalCheckFailedException } from '@aws-sdk/client-dynamodb';
import { ExecutionDoesNotExist, type SFNClient } from '@aws-sdk/client-sfn';
import { describe, expect, it } from 'vitest';
import { StackBusyError, StackLockedError } from '../../../core/errors.ts';
import type { Release } from '../../../core/release/release.ts';
import { StackLock } from '../../../handlers/lib/stack-lock.ts';
import { takeLock } from '../../../handlers/take-lock.ts';

const machine = (name: string) => `arn:aws:states:eu-central-1:123456789012:execution:Plimsoll-${name}`;
const DEPLOY = `${machine('deploy')}:one`;
const release: Release = {
  id: '20260101t000000000z-00000000',
  stackName: 'shop',
  source: { bucket: 'sources', key: 'projects/shop.zip' },
  parameters: {},
  rollback: true,
  allowDataLoss: [],
  startedAt: '2026-01-01T00:00:00.000Z',
};

interface Execution {
  status: string;
  error?: string;
}

/** A stack that is locked for the release by an execution, and how the executions fare. @param owner none where nobody has it */
function account(owner: string | undefined, executions: Record<string, Execution>, of: Release = release) {
  const item = { owner, release: JSON.stringify(of), claim: 'c' };
  const dynamodb = {
    send: async ({ input }: GetItemCommand | PutItemCommand) => {
      if (!('Item' in input))
        return item.owner === undefined
          ? {}
          : { Item: Object.fromEntries(Object.entries(item).map(([name, S]) => [name, { S }])) };
      const { ':me': me, ':instead': instead } = input.ExpressionAttributeValues ?? {};
      if (item.owner !== undefined && item.owner !== me?.S && item.owner !== instead?.S)
        throw new ConditionalCheckFailedException({ message: '', $metadata: {} });
      item.owner = me?.S;
      return {};
    },
  } as unknown as DynamoDBClient;
  const sfn = {
    send: async ({ input: { executionArn } }: { input: { executionArn: string } }) => {
      const found = executions[executionArn];
      if (!found) throw new ExecutionDoesNotExist({ message: '', $metadata: {} });
      return { ...found, input: JSON.stringify({ source: release.source }) };
    },
  } as unknown as SFNClient;
  const clients = { sfn, lock: new StackLock(dynamodb, 'Releases', sfn) };
  const byRule = (name: string) =>
    takeLock({ start: { executionArn: DEPLOY }, execution: `${machine('rollback')}:${name}` }, clients);
  return { item, byRule };
}

describe('the rollback that an event of Step Functions starts', () => {
  it.each(['States.DataLimitExceeded', 'States.Runtime'])(
    'takes the release of an execution over that %s has ended, which nothing catches',
    async (error) => {
      const { item, byRule } = account(DEPLOY, { [DEPLOY]: { status: 'FAILED', error } });
      expect(await byRule('a')).toEqual({ release, ended: `FAILED (${error})`, deployment: DEPLOY });
      expect(item.owner).toBe(`${machine('rollback')}:a`);
      // Retried, it answers the same.
      expect(await byRule('a')).toMatchObject({ release, deployment: DEPLOY });
    },
  );

  it('finds nothing where the execution has rolled back by itself, or its rollback still runs or is stuck', async () => {
    const failed = { status: 'FAILED', error: 'SmokeTestFailedError' };
    expect((await account(undefined, { [DEPLOY]: failed }).byRule('a')).release).toBeNull();
    const own = `${machine('rollback')}:one`;
    for (const status of ['RUNNING', 'FAILED', 'ABORTED']) {
      const { item, byRule } = account(own, { [DEPLOY]: failed, [own]: { status } });
      expect((await byRule('a')).release).toBeNull();
      expect(item.owner).toBe(own);
    }
  });

  it('happens once, though the event comes twice, or late, when the next release runs', async () => {
    const failed = { status: 'FAILED', error: 'States.Runtime' };
    const { item, byRule } = account(DEPLOY, { [DEPLOY]: failed });
    const both = await Promise.allSettled([byRule('a'), byRule('b')]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(both.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: expect.any(StackBusyError),
    });
    const owner = item.owner;
    expect((await byRule('c')).release).toBeNull();
    expect(item.owner).toBe(owner);
    const next = account(`${machine('deploy')}:two`, { [DEPLOY]: failed });
    expect((await next.byRule('a')).release).toBeNull();
  });

  it('waits where Step Functions does not say yet that the execution has ended', async () => {
    for (const status of ['RUNNING', 'PENDING_REDRIVE']) {
      const { item, byRule } = account(DEPLOY, { [DEPLOY]: { status } });
      await expect(byRule('a')).rejects.toThrow(StackBusyError);
      expect(item.owner).toBe(DEPLOY);
    }
  });

  it('leaves a release as it is that asked for no rollback', async () => {
    const failed = { status: 'FAILED', error: 'States.Runtime' };
    const { item, byRule } = account(DEPLOY, { [DEPLOY]: failed }, { ...release, rollback: false });
    expect((await byRule('a')).release).toBeNull();
    expect(item.owner).toBe(DEPLOY);
  });

  it('is no reason to take a release that a person names while it runs', async () => {
    const sfn = { send: async () => ({ status: 'RUNNING' }) } as unknown as SFNClient;
    const dynamodb = {
      send: async () => ({
        Item: { owner: { S: DEPLOY }, release: { S: JSON.stringify(release) }, claim: { S: 'c' } },
      }),
    } as unknown as DynamoDBClient;
    const lock = new StackLock(dynamodb, 'Releases', sfn);
    await expect(
      takeLock({ start: { stackName: 'shop' }, execution: `${machine('rollback')}:by-hand` }, { sfn, lock }),
    ).rejects.toThrow(StackLockedError);
  });
});
