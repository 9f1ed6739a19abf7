import { CommanderError } from 'commander';
import { PlimsollError } from '../core/errors.ts';
import { exitCodeOfError, explain, isDebugging } from '../core/system-errors.mjs';

/** What a shell says of a program that SIGPIPE has ended: nobody reads what it prints. */
const BROKEN_PIPE = 141;

/** Text for people and exit code of anything that ends the command. */
export function describeEnd(error: unknown): { text?: string; code: number } {
  // Commander has printed its own words.
  if (error instanceof CommanderError) return { code: error.exitCode === 0 ? 0 : 2 };
  if (error instanceof PlimsollError) {
    const text = `${error.name}: ${error.message}`;
    return { text: isDebugging() ? `${text}\n${error.stack}` : text, code: error.exitCode };
  }
  // AWS's own exceptions carry what it answered.
  if (error instanceof Error && '$metadata' in error)
    return {
      text: `AWS answered ${error.name}: ${error.message}${isDebugging() ? `\n${error.stack}` : ''}`,
      code: 1,
    };
  return { text: explain(error), code: exitCodeOfError(error) };
}

/** Prints why the command ends, and sets its exit code. The one place that does. */
export function report(error: unknown): void {
  const { text, code } = describeEnd(error);
  if (text !== undefined) console.error(`plimsoll: ${text}`);
  process.exitCode = code;
}

/** Ends the command with a code, in good order where something runs that has to be ended: as SIGTERM would. */
function end(code: number): void {
  process.once('exit', () => {
    process.exitCode = code;
  });
  if (!process.emit('SIGTERM')) process.exit();
}

/** Sees to it that errors nobody waits for are told like any other, and that output which cannot be written ends the command. */
export function watchProcess(): void {
  process.on('uncaughtException', (error) => {
    report(error);
    process.exit();
  });
  let isOver = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (isOver) return;
    isOver = true;
    if (error.code === 'EPIPE') return end(BROKEN_PIPE);
    const full = Object.assign(error, { path: 'standard output' });
    report(full);
    end(describeEnd(full).code);
  });
  // There is no place left to say so.
  process.stderr.on('error', () => {});
}
