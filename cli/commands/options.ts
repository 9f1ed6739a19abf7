import { type Command, InvalidArgumentError, Option } from 'commander';
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

/** Collects `Name=value` options into one record. @throws InvalidArgumentError */
function collect(text: string, before: Record<string, string>): Record<string, string> {
  const [, name, value] = /^([A-Za-z0-9]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('write Name=value');
  return { ...before, [name]: value };
}

/** `--parameter Name=value`, any number of times. */
export const parameterOption = (): Option =>
  new Option('--parameter <Name=value>', 'value of a parameter of the template; can be given several times')
    .default({}, 'parameter_overrides of samconfig')
    .argParser(collect);

/** Where the project is: of every command that reads one. */
export const withProjectOptions = (command: Command): Command =>
  command
    .option('--project <folder>', 'folder of the SAM project', '.')
    .option(
      '--template <file>',
      'template, from that folder (default: template of plimsoll.yaml, else template_file of samconfig, else template.yaml)',
    )
    .option('--config-env <name>', 'environment of samconfig (default: default)')
    .addOption(parameterOption());
