import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { SmokeTestFailedError } from '../../core/errors.ts';
import type { PlannedFunction } from '../../core/release/build-plan.ts';
import { mismatch } from '../../core/release/expect.ts';
import { errorLines, requestIdIn } from '../../core/release/log-errors.ts';

type SmokeEvent = PlannedFunction['smoke'][number];

/** A function, and the version or alias that is called. */
export interface Target {
  name: string;
  qualifier?: string | undefined;
}

/** One check that passed. */
export interface Passed {
  check: string;
  ms: number;
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
 * Calls a function with a smoke event. @returns the id of the request, where the log names it
 * @throws SmokeTestFailedError where it fails, answers otherwise than expected, or logs an error
 */
export async function callWithEvent(
  lambda: LambdaClient,
  { name, qualifier }: Target,
  check: string,
  { event, expect }: SmokeEvent,
): Promise<string | undefined> {
  const answer = await lambda.send(
    new InvokeCommand({
      FunctionName: name,
      Qualifier: qualifier,
      Payload: JSON.stringify(event ?? {}),
      LogType: 'Tail',
    }),
  );
  const text = answer.Payload?.transformToString() ?? '';
  if (answer.FunctionError) fail(check, `the function failed: ${text.slice(0, 1000)}`);
  const problem = expect === undefined ? undefined : mismatch(parsed(text), expect);
  if (problem) fail(check, problem);
  const log = Buffer.from(answer.LogResult ?? '', 'base64').toString('utf8');
  const errors = errorLines(log);
  if (errors[0] !== undefined) fail(check, `its log holds an error: ${errors[0].slice(0, 500)}`);
  return requestIdIn(log);
}
