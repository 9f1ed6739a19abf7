import type { ExitCode, PlimsollError } from './errors.ts';
import * as errors from './errors.ts';

/** The class of a failure by the name that the state machine sees, or undefined for what is not ours. */
export function failureClass(name: string): (new (message: string) => PlimsollError) | undefined {
  const found = (errors as Record<string, unknown>)[name];
  const isOurs = typeof found === 'function' && found.prototype instanceof errors.PlimsollError;
  return isOurs ? (found as new (message: string) => PlimsollError) : undefined;
}

/** What a program that saw this failure ends with; what is not ours is a check that failed. */
export function exitCodeOf(name: string): ExitCode {
  const Failure = failureClass(name);
  return Failure ? new Failure('').exitCode : 1;
}
