import {
  LambdaClient,
  ResourceConflictException,
  ResourceNotReadyException,
  SnapStartNotReadyException,
} from '@aws-sdk/client-lambda';
import { describe, expect, it } from 'vitest';
import { callWithEvents } from '../../../handlers/lib/smoke-event.ts';
import { answering } from '../../support/answering.ts';

const INACTIVE = new ResourceNotReadyException({
  message: 'The function is inactive and its VPC connection is no longer available.',
  $metadata: { httpStatusCode: 502 },
});
const PENDING = new ResourceConflictException({
  message:
    'The operation cannot be performed at this time. The function is currently in the following state: Pending',
  $metadata: { httpStatusCode: 409 },
});

/** A function that wakes up: it answers so many calls with these errors, then as it should. */
function waking(errors: readonly Error[]) {
  const left = [...errors];
  return answering(new LambdaClient({ region: 'us-east-1' }), () => {
    const error = left.shift();
    if (error) throw error;
    return { Payload: { transformToString: () => '{"statusCode": 200}' }, LogResult: '' };
  });
}

const hello = {
  logicalId: 'Hello',
  smoke: [{ name: 'you', event: {}, expect: { statusCode: 200 } }],
};
const call = (lambda: LambdaClient, totalMs: number) =>
  callWithEvents(lambda, { name: 'shop-Hello' }, hello, '', { intervalMs: 1, totalMs });

describe('a smoke event of a function that is not ready', () => {
  it('is sent again until the function is active', async () => {
    const { client, asked } = waking([INACTIVE, PENDING, PENDING]);
    expect((await call(client, 10_000)).passed).toHaveLength(1);
    expect(asked).toHaveLength(4);
  });

  it('is sent again until the snapshot of a version with SnapStart is there', async () => {
    const { client, asked } = waking([
      new SnapStartNotReadyException({
        Message:
          'Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.',
        message: 'Lambda is initializing your function.',
        $metadata: { httpStatusCode: 409 },
      }),
    ]);
    expect((await call(client, 10_000)).passed).toHaveLength(1);
    expect(asked).toHaveLength(2);
  });

  it('fails with what Lambda says where the function does not wake up', async () => {
    const { client } = waking(Array<Error>(1000).fill(PENDING));
    await expect(call(client, 5)).rejects.toThrow('Pending');
  });

  it('is not sent again after any other error', async () => {
    const { client, asked } = waking([new Error('no such function')]);
    await expect(call(client, 10_000)).rejects.toThrow('no such function');
    expect(asked).toHaveLength(1);
  });
});
