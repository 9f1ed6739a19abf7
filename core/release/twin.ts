import { objectOf } from '../project/intrinsics.ts';
import { type PlannedFunction, UNKNOWN_VALUE } from './build-plan.ts';

/**
 * A function without an alias is proven by a temporary twin before it changes: the new code and layers under the role and the
 * configuration of the live function. That says something only where the release leaves these as they are. All of it pure.
 */

type Template = Readonly<Record<string, unknown>>;

/** Properties that decide what a function may reach; the twin has the live function's. */
const REACH = [
  'AssumeRolePolicyDocument',
  'FileSystemConfigs',
  'KmsKeyArn',
  'PermissionsBoundary',
  'Policies',
  'Role',
  'VpcConfig',
];

const json = (value: unknown) => JSON.stringify(value) ?? '';

/** A property of a function as its template writes it: what Globals say, and what it says itself. */
function written(template: Template, id: string, ...path: string[]): string {
  const globals = objectOf(objectOf(template['Globals'])['Function']);
  const own = objectOf(objectOf(objectOf(template['Resources'])[id])['Properties']);
  const at = (from: unknown) => path.reduce((node: unknown, key) => objectOf(node)[key], from);
  return json([at(globals), at(own)]);
}

/** The live function, as far as a twin must be like it. */
export interface LiveFunction {
  environment: Readonly<Record<string, string>>;
  inVpc: boolean;
}

/**
 * Why a twin would say nothing of a function, or undefined where it does.
 * @param template the new one, @param before the one that runs
 */
export function whyNoTwin(
  { logicalId, environment }: Pick<PlannedFunction, 'logicalId' | 'environment'>,
  template: Template,
  before: Template,
  live: LiveFunction,
): string | undefined {
  if (live.inVpc) return 'it is in a VPC, which a temporary function does not enter';
  const reach = REACH.find((key) => written(template, logicalId, key) !== written(before, logicalId, key));
  if (reach !== undefined) return `the release changes its ${reach}`;
  const variable = Object.entries(environment).find(([name, value]) => {
    const path = ['Environment', 'Variables', name] as const;
    const isSame = written(template, logicalId, ...path) === written(before, logicalId, ...path);
    return value === UNKNOWN_VALUE && !(isSame && name in live.environment);
  });
  return variable && `only the deployment knows the new value of its variable ${variable[0]}`;
}

/** The environment of a twin: what is known of the new one, else what the live function has. */
export function twinEnvironment(
  { environment }: Pick<PlannedFunction, 'environment'>,
  live: LiveFunction,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [
      name,
      value === UNKNOWN_VALUE ? (live.environment[name] ?? value) : value,
    ]),
  );
}
