import { StatefulChangeError } from '../errors.ts';

/** Values of parameters that CloudFormation shows to nobody: once ended, none can be brought back. All of it pure. */

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
 * @throws StatefulChangeError where nobody could bring such a value back
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
    `the release would end the value of parameter ${lost.join(', ')}, which is NoEcho: CloudFormation shows it to nobody, so that no rollback could bring it back; nothing was changed. Leave the parameter as it is (not in the input, still in template.yaml: the stack keeps its value), read the secret by a dynamic reference ({{resolve:secretsmanager:…}}), or allow it by name in the input: "allowDataLoss": [${lost.map((name) => `"${name}"`).join(', ')}]`,
  );
}
