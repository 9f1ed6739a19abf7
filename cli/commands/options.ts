import { InvalidArgumentError, Option } from 'commander';
import { logicalPathSchema } from '../../core/release/release.ts';

/** `--allow-data-loss ID`, any number of times, of every command that releases. */
export const allowDataLoss = (): Option =>
  new Option(
    '--allow-data-loss <id>',
    'resource with data that may be deleted or replaced, or NoEcho parameter that may be set anew or dropped; can be given several times',
  )
    .default([])
    .argParser((text: string, before: string[]) => {
      if (!logicalPathSchema.safeParse(text).success)
        throw new InvalidArgumentError(
          'write a logical id of template.yaml, of a nested stack STACK.RESOURCE',
        );
      return [...before, text];
    });

/** Parses a port. @throws InvalidArgumentError */
export function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > 65_535)
    throw new InvalidArgumentError('a port is a number from 1 to 65535');
  return value;
}
