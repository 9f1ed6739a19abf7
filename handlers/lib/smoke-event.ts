import {
  InvokeCommand,
  type LambdaClient,
  ResourceConflictException,
  ResourceNotReadyException,
  SnapStartNotReadyException,
} from '@aws-sdk/client-lambda';
import { SmokeTestFailedError } from '../../core/errors.ts';
import type { PlannedFunction } from '../../core/release/build-plan.ts';
import { mismatch } from '../../core/release/expect.ts';
import { SMOKE_SECONDS } from '../../core/release/limits.ts';
import { errorLines, requestIdIn } from '../../core/release/log-errors.ts';
import type { Passed } from '../../core/release/smoke-report.ts';
import type { Patience } from './poll.ts';
import { untilReady } from './until-ready.ts';

type SmokeEvent = PlannedFunction['smoke'][number];

/** A function, and the version or alias that is called. */
export interface Target {
  name: string;
  qualifier?: string | undefined;
}

export function fail(check: string, problem: string): never {
  throw new SmokeTestFailedError(
    `${check}: ${problem}. Correct the code or the smoke test, then release again.`,
  );
}

export async function timed(check: string, action: () => Promise<void>): Promise<Passed> {
  const begin = performance.now();
  await action();
  return { check, ms: Math.round(performance.now() - begin) };
}

/** JSON where it is JSON, else the text itself. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * A function that nobody has called for weeks is Inactive: the first call fails with ResourceNotReadyException, which the
 * SDK sends again, and makes it Pending; until it is Active, calls fail with ResourceConflictException (Lambda developer
 * guide, "Lambda function states"; API reference, Invoke). A version with SnapStart is not ready before its snapshot is
 * (SnapStartNotReadyException).
 */
const isWakingUp = (error: unknown): boolean =>
  error instanceof ResourceNotReadyException ||
  error instanceof ResourceConflictException ||
  error instanceof SnapStartNotReadyException;

/**
 * Calls a function with a smoke event. @param signal ends the wait for its answer @returns the id of the request, where the log names it
 * @throws SmokeTestFailedError where it fails, answers otherwise than expected, or logs an error
 */
async function callWithEvent(
  lambda: LambdaClient,
  { name, qualifier }: Target,
  check: string,
  { event, expect }: SmokeEvent,
  signal: AbortSignal,
  patience: Patience | undefined,
): Promise<string | undefined> {
  const invoke = () =>
    lambda.send(
      new InvokeCommand({
        FunctionName: name,
        Qualifier: qualifier,
        Payload: JSON.stringify(event ?? {}),
        LogType: 'Tail',
      }),
      { abortSignal: signal },
    );
  const answer = await untilReady(invoke, isWakingUp, patience).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    return fail(check, `the smoke events of this function take longer than ${SMOKE_SECONDS} s together`);
  });
  const text = answer.Payload?.transformToString() ?? '';
  if (answer.FunctionError) fail(check, `the function failed: ${text.slice(0, 1000)}`);
  const problem = expect === undefined ? undefined : mismatch(parsed(text), expect);
  if (problem) fail(check, problem);
  const log = Buffer.from(answer.LogResult ?? '', 'base64').toString('utf8');
  const errors = errorLines(log);
  if (errors[0] !== undefined) fail(check, `its log holds an error: ${errors[0].slice(0, 500)}`);
  return requestIdIn(log);
}

/**
 * Calls a function with all its smoke events, one after another. @param where goes behind the name of each check
 * @returns what passed, and the id of the last request where the log names it @throws SmokeTestFailedError
 */
export async function callWithEvents(
  lambda: LambdaClient,
  target: Target,
  { logicalId, smoke }: Pick<PlannedFunction, 'logicalId' | 'smoke'>,
  where = '',
  patience?: Patience,
): Promise<{ passed: Passed[]; lastRequest: string | undefined }> {
  const signal = AbortSignal.timeout(SMOKE_SECONDS * 1000);
  const passed: Passed[] = [];
  let lastRequest: string | undefined;
  for (const event of smoke) {
    const check = `smoke event ${event.name} of ${logicalId}${where}`;
    passed.push(
      await timed(check, async () => {
        lastRequest = await callWithEvent(lambda, target, check, event, signal, patience);
      }),
    );
  }
  return { passed, lastRequest };
}
