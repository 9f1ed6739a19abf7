import { DescribeExecutionCommand, SFNClient } from '@aws-sdk/client-sfn';
import { z } from 'zod';
import { StackBusyError, StackLockedError } from '../core/errors.ts';
import { executionLink, isAlive, isCalledBy } from '../core/release/lock.ts';
import { failureSchema } from '../core/release/record.ts';
import { type Release, stackNameOf, stackNameSchema, startSchema } from '../core/release/release.ts';
import { lambdaHandler } from './lib/handler.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  /** A person names the stack, the rule the execution that has ended, the deploy machine its own that fails. */
  start: z.union([
    z.strictObject({ stackName: stackNameSchema }),
    z.strictObject({ executionArn: z.string() }),
    z.object({ executionArn: z.string(), failure: failureSchema }),
  ]),
  /** ARN of this execution. */
  execution: z.string(),
});

interface Clients {
  sfn: SFNClient;
  lock: StackLock;
}

interface Output {
  /** The release that failed, or was stopped before it ended; null where there is none, and so nothing to roll back. */
  release: Release | null;
  /** How the execution that carried it ended: its status, and its error where it failed. */
  ended: string;
  /** ARN of that execution; null where nobody knows it any more. */
  deployment: string | null;
}

const NOTHING: Output = { release: null, ended: '', deployment: null };

/** The stack that an execution of the deploy machine was started for. */
async function stackOf(sfn: SFNClient, executionArn: string): Promise<string | undefined> {
  const { input = '{}' } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
  const start = startSchema.safeParse(JSON.parse(input));
  return start.success ? stackNameOf(start.data) : undefined;
}

/**
 * Takes over the lock of an execution that ended without giving it up, or that waits for this one. Asked again, it answers
 * the same. An execution that failed by itself has rolled its release back and given the lock up: only one whose failure
 * nothing caught still holds it (States.Runtime, States.DataLimitExceeded, a history that is full).
 * @throws StackLockedError while the holder lives; StackBusyError where another one was faster, or where Step Functions does
 *   not say yet that the execution has ended: DescribeExecution is eventually consistent (its API reference)
 */
export async function takeLock(
  { start, execution }: z.output<typeof inputSchema>,
  { sfn, lock }: Clients,
): Promise<Output> {
  const stopped = 'executionArn' in start ? start.executionArn : undefined;
  const stackName = 'stackName' in start ? start.stackName : await stackOf(sfn, start.executionArn);
  const held = stackName === undefined ? undefined : await lock.read(stackName);
  if (!held) return NOTHING;
  if (held.owner === execution)
    return { release: held.release, ended: 'stopped', deployment: stopped ?? null };
  if (stopped !== undefined && held.owner !== stopped) return NOTHING;
  const byRule = stopped !== undefined && !('failure' in start);
  // Its release asked for no rollback; the next one takes the lock over.
  if (byRule && !held.release.rollback) return NOTHING;
  const { status, error } = await lock.stateOf(held.owner);
  const called = 'failure' in start && isCalledBy(execution, held.owner);
  if (isAlive(status) && byRule)
    throw new StackBusyError(`execution ${stopped} has ended, but Step Functions still reports ${status}`);
  if (isAlive(status) && !called)
    throw new StackLockedError(
      `release ${held.release.id} of stack ${stackName} (${executionLink(held.owner)}) is running and rolls the stack back itself if it fails; stop it first if it must end now`,
    );
  if (!(await lock.take({ ...held, owner: execution }, held.owner)))
    throw new StackBusyError(`stack ${stackName} was taken over by another execution`);
  const ended = `${status ?? 'unknown'}${error === undefined ? '' : ` (${error})`}`;
  return { release: held.release, ended, deployment: held.owner };
}

export const handler = lambdaHandler('TakeLock', inputSchema, (input) => {
  const sfn = new SFNClient();
  return takeLock(input, { sfn, lock: StackLock.ofPipeline() });
});
