import {
  type AliasConfiguration,
  LambdaClient,
  ResourceConflictException,
  ServiceException,
} from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { StackBusyError } from '../../../core/errors.ts';
import { moveAlias, settleAliases } from '../../../handlers/lib/aliases.ts';
import { answering } from '../../support/answering.ts';

const alias = { functionName: 'orders', name: 'live', version: '2' };
const patience = { intervalMs: 1, totalMs: 50 };
const none = { version: '2', weights: {} };

/** Answers GetAlias with one route after another, the last one for ever. */
function lambdaWith(...routes: AliasConfiguration[]) {
  let next = 0;
  return answering(new LambdaClient({ region: 'us-east-1' }), (call) =>
    call === 'GetAlias' ? routes[Math.min(next++, routes.length - 1)] : {},
  );
}
const at = (FunctionVersion: string, weights?: Record<string, number>): AliasConfiguration => ({
  FunctionVersion,
  ...(weights ? { RoutingConfig: { AdditionalVersionWeights: weights } } : {}),
});

describe('all of the traffic', () => {
  it('is there once Lambda, which splits that of provisioned concurrency, splits it no more', async () => {
    const { client, asked } = lambdaWith(
      at('1', { 2: 0.1 }),
      at('2', { 1: 0.9 }),
      at('2', { 1: 0.2 }),
      at('2'),
    );
    await settleAliases(client, [alias], patience);
    expect(asked.map(({ call }) => call)).toEqual([
      'GetAlias',
      'UpdateAlias',
      'GetAlias',
      'GetAlias',
      'GetAlias',
    ]);
    expect(asked[1]?.input).toMatchObject({
      FunctionVersion: '2',
      RoutingConfig: { AdditionalVersionWeights: {} },
    });
  });

  it('is waited for again where the first wait was too short, without another update that would begin anew', async () => {
    const { client, asked } = lambdaWith(at('1'), at('2', { 1: 0.9 }));
    await expect(settleAliases(client, [alias], patience)).rejects.toThrow(StackBusyError);
    await expect(settleAliases(client, [alias], patience)).rejects.toThrow(/orders:live/);
    expect(asked.filter(({ call }) => call === 'UpdateAlias')).toHaveLength(1);
  });

  it('never counts as there while the alias leads to another version', async () => {
    const { client } = lambdaWith(at('1'));
    await expect(settleAliases(client, [alias], patience)).rejects.toThrow(StackBusyError);
  });
});

describe('an update of an alias', () => {
  const rejecting = (error: Error, times: number) => {
    let left = times;
    return answering(new LambdaClient({ region: 'us-east-1' }), () => {
      if (left-- > 0) throw error;
      return {};
    });
  };
  const about = { message: 'another operation is in progress', $metadata: {} };

  it('is sent again while another one is in its way', async () => {
    const { client, asked } = rejecting(new ResourceConflictException(about), 3);
    await moveAlias(client, alias, none, patience);
    expect(asked).toHaveLength(4);
  });

  it('is not sent again after any other error, nor for ever', async () => {
    const other = rejecting(new ServiceException(about), 1);
    await expect(moveAlias(other.client, alias, none, patience)).rejects.toThrow(ServiceException);
    expect(other.asked).toHaveLength(1);
    const stuck = rejecting(new ResourceConflictException(about), Number.POSITIVE_INFINITY);
    await expect(moveAlias(stuck.client, alias, none, patience)).rejects.toThrow(ResourceConflictException);
  });
});
