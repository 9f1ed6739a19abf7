import { InvalidInputError } from '../errors.ts';
import { objectOf } from '../project/intrinsics.ts';
import { ASSUMED } from '../project/language-extensions.ts';
import type { Release } from './release.ts';

type Template = Readonly<Record<string, unknown>>;

interface StackParameter {
  ParameterKey?: string | undefined;
  ParameterValue?: string | undefined;
}

/**
 * Values of parameters by which loops of a template were written out and its functions answered, though nobody has set them: its
 * defaults. A running stack keeps the values that it has. Where these are the defaults of before, the new ones follow the
 * template; where somebody has set them, the template would say one thing and its parameters another. Pure.
 * @param before the template that runs, or {}
 * @param stack parameters of the stack as it runs
 * @returns values that the release must set, by name
 * @throws InvalidInputError naming the parameter and both values
 */
export function assumedValues(
  template: Template,
  before: Template,
  stack: readonly StackParameter[],
  { parameters }: Pick<Release, 'parameters'>,
): Record<string, string> {
  const assumed = Object.entries(objectOf(objectOf(template['Metadata'])[ASSUMED])).filter(
    ([name]) => !Object.hasOwn(parameters, name),
  );
  return Object.fromEntries(
    assumed.flatMap(([name, value]) => {
      const kept = stack.find(({ ParameterKey }) => ParameterKey === name)?.ParameterValue;
      if (kept === undefined || kept === value) return [];
      const earlier = objectOf(objectOf(before['Parameters'])[name])['Default'];
      if (earlier !== undefined && String(earlier) === kept) return [[name, String(value)]];
      throw new InvalidInputError(
        `parameter ${name}: the stack has "${kept}", and loops or functions of the template were written out with "${value}", its default; nothing was changed. Say which it is: --parameter ${name}=VALUE, or "parameters" in the input`,
      );
    }),
  );
}
