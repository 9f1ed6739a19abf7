import { objectOf, type Scope } from './intrinsics.ts';

/** Parameters whose values CloudFormation shows to nobody: they go into no plan, no record and no build. All of it pure. */

const isTrue = (value: unknown) => value === true || value === 'true';

/** Names of the parameters that a template declares so. */
export const noEchoIn = (template: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(objectOf(template['Parameters'])).flatMap(([name, declared]) =>
    isTrue(objectOf(declared)['NoEcho']) ? [name] : [],
  );

/** Values of parameters without those of some names. */
export const withoutNames = (
  parameters: Scope['parameters'],
  names: readonly string[],
): Record<string, string> =>
  Object.fromEntries(Object.entries(parameters).filter(([name]) => !names.includes(name)));
