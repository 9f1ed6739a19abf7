import { StatefulChangeError } from '../errors.ts';
import { objectOf, ownValue } from '../project/intrinsics.ts';
import { noEchoIn, withoutNames } from '../project/no-echo.ts';
import type { Release } from './release.ts';

/**
 * Values of parameters that CloudFormation shows to nobody: once ended, none can be
 * restored, and no two can be compared. All of it pure.
 */

/** What CloudFormation shows of such a value: docs.aws.amazon.com, "Parameters section structure". */
const MASK = '****';

interface StackParameter {
  ParameterKey?: string | undefined;
  ParameterValue?: string | undefined;
}

/** Parameters of a running stack, each with its value; without one where CloudFormation does not show it. */
export const shownParameters = (parameters: readonly StackParameter[]): { key: string; value?: string }[] =>
  parameters.map(({ ParameterKey: key = '', ParameterValue: value }) => ({
    key,
    ...(value === undefined || value === MASK ? {} : { value }),
  }));

/**
 * @param ended names of parameters whose values the release would end
 * @param stack parameters of the stack as it runs, as `shownParameters` gives them
 * @param allowed names that the input allows to lose
 * @throws StatefulChangeError where nobody could restore such a value
 */
export function refuseLostValues(
  ended: readonly string[],
  stack: readonly { key: string; value?: string | undefined }[],
  allowed: readonly string[],
): void {
  const lost = stack.flatMap(({ key, value }) =>
    value === undefined && ended.includes(key) && !allowed.includes(key) ? [key] : [],
  );
  if (lost.length === 0) return;
  throw new StatefulChangeError(
    `the release would end the value of parameter ${lost.join(', ')}, which is NoEcho: CloudFormation shows it to nobody, so that no rollback could restore it; nothing was changed. Leave the parameter as it is (not in the input, still in template.yaml: the stack keeps its value), read the secret by a dynamic reference ({{resolve:secretsmanager:…}}), or allow it by name in the input: "allowDataLoss": [${lost.map((name) => `"${name}"`).join(', ')}] (plimsoll deploy or rollback --allow-data-loss ${lost[0]})`,
  );
}

type Template = Readonly<Record<string, unknown>>;

/** Where a template says which release has set each such value, by the parameter's name. */
const SET_BY = 'PlimsollNoEchoSetBy';

const settersIn = (template: Template): Record<string, string> =>
  Object.fromEntries(
    Object.entries(objectOf(objectOf(template['Metadata'])[SET_BY])).map(([name, id]) => [name, String(id)]),
  );

/**
 * The template with a note in its metadata of who has set each NoEcho value: this release, else whoever the template that
 * runs names. @param before the template that runs, or {}
 */
export function withSetters(
  template: Template,
  before: Template,
  { id, parameters }: Pick<Release, 'id' | 'parameters'>,
): Template {
  const hidden = noEchoIn(template);
  const earlier = settersIn(before);
  const setters = hidden.flatMap((name) => {
    const setter = Object.hasOwn(parameters, name) ? id : ownValue(earlier, name);
    return setter === undefined ? [] : [[name, setter]];
  });
  if (setters.length === 0) return template;
  const Metadata = { ...objectOf(template['Metadata']), [SET_BY]: Object.fromEntries(setters) };
  return { ...template, Metadata };
}

/**
 * Values by which two releases can be told apart: in the place of a NoEcho one, the release that has set it.
 * @param template as `withSetters` gives it
 */
export const comparable = (
  template: Template,
  parameters: Readonly<Record<string, string>>,
): Record<string, string> => ({ ...withoutNames(parameters, noEchoIn(template)), ...settersIn(template) });
