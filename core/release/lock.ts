import { z } from 'zod';
import { releaseSchema } from './release.ts';

/** Who releases a stack now. One item a stack: pk stack#NAME, sk lock. */
export const lockSchema = z.object({
  /** ARN of the execution that holds it. */
  owner: z.string(),
  /** The release that it was taken for. */
  release: releaseSchema,
  /** The object version or idempotency key that the release was started with. */
  claim: z.string(),
  /** Why the stack could not be rolled back: a human has to repair it first. */
  stuck: z.string().optional(),
});
export type Lock = z.infer<typeof lockSchema>;

/** What a start does about a lock that another execution holds. */
export type LockDecision =
  /** The holder lives. */
  | 'held'
  /** The holder is dead, and has changed nothing. */
  | 'take-over'
  /** The holder is dead, and what it changed has to be rolled back first. */
  | 'unfinished'
  /** What it changed could not be rolled back. */
  | 'stuck';

/** Whether an execution in this state goes on, or may: what it holds is its own. */
export const isAlive = (status: string | undefined): boolean =>
  status === 'RUNNING' || status === 'PENDING_REDRIVE';

const nameOf = (executionArn: string): string => executionArn.slice(executionArn.lastIndexOf(':') + 1);

/** Whether an execution of the rollback machine was started by one of the deploy machine, which waits for it: it has its name. */
export const isCalledBy = (execution: string, holder: string): boolean =>
  execution !== holder && nameOf(execution) === nameOf(holder);

/** The execution of the rollback machine that one of the deploy machine starts. @param machine ARN of the rollback machine */
export const calledExecution = (machine: string, executionArn: string): string =>
  `${machine.replace(':stateMachine:', ':execution:')}:${nameOf(executionArn)}`;

/**
 * Decides by the holder's state, not by time: an execution that lives keeps its lock, and none lives longer than the
 * state machine's own time-out, which is the lease. Pure.
 * @param status of the holding execution; undefined where Step Functions does not know it any more
 * @param hasSnapshot whether the holder came far enough to change the stack
 */
export function decideLock(lock: Lock, status: string | undefined, hasSnapshot: boolean): LockDecision {
  if (lock.stuck !== undefined) return 'stuck';
  if (isAlive(status)) return 'held';
  return hasSnapshot && lock.release.rollback ? 'unfinished' : 'take-over';
}

/** Page of an execution in the console. @param arn arn:PARTITION:states:REGION:ACCOUNT:execution:MACHINE:NAME */
export function executionLink(arn: string): string {
  const region = arn.split(':')[3] ?? '';
  return `https://${region}.console.aws.amazon.com/states/home?region=${region}#/v2/executions/details/${arn}`;
}
