import { isObject, objectOf, ownValue } from '../project/intrinsics.ts';
import { type PlannedFunction, UNKNOWN_VALUE } from './build-plan.ts';
import { holdsLayerMark } from './deployable.ts';

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

/** Where a template says, for SAM and for CloudFormation, with which key the code is encrypted; Lambda does not show it with the rest. */
const SOURCE_KEYS = [['SourceKMSKeyArn'], ['Code', 'SourceKMSKeyArn']];

const json = (value: unknown) => JSON.stringify(value) ?? '';

/** A property of a function as its template writes it: what Globals say, and what it says itself. */
function written(template: Template, id: string, ...path: string[]): string {
  const globals = objectOf(objectOf(template['Globals'])['Function']);
  const own = objectOf(objectOf(objectOf(template['Resources'])[id])['Properties']);
  const at = (from: unknown) => path.reduce((node: unknown, key) => objectOf(node)[key], from);
  return json([at(globals), at(own)]);
}

/** As `written` gives it for a property that neither has. */
const NOT_WRITTEN = json([undefined, undefined]);

/** The live function, as far as a twin must be like it. */
export interface LiveFunction {
  environment: Readonly<Record<string, string>>;
  /** What a temporary function cannot have, by which a twin would be another function than the live one; one clause each. */
  beyond: readonly string[];
}

/** What Lambda's GetFunctionConfiguration answers, as far as it counts here. */
export interface LiveConfiguration {
  Environment?:
    | {
        Variables?: Record<string, string> | undefined;
        Error?: { ErrorCode?: string | undefined; Message?: string | undefined } | undefined;
      }
    | undefined;
  KMSKeyArn?: string | undefined;
  VpcConfig?: { SubnetIds?: string[] | undefined } | undefined;
  FileSystemConfigs?: readonly unknown[] | undefined;
  PackageType?: string | undefined;
  CapacityProviderConfig?: object | undefined;
  DurableConfig?: object | undefined;
  TenancyConfig?: object | undefined;
}

/**
 * What of a live function's configuration decides whether a twin would say anything of it.
 *
 * Without kms:Decrypt on a function's own key, GetFunctionConfiguration answers with Environment.Error and no Variables (Lambda
 * API reference, EnvironmentResponse): a twin would run without them, or show them under another key. A VPC asks whoever
 * creates the function for ec2:Describe… and takes minutes of network interfaces (Lambda developer guide, "Giving Lambda
 * functions access to resources in an Amazon VPC"). The last ones make another kind of function, with a lifecycle of its own.
 */
export function liveFunction(live: LiveConfiguration): LiveFunction {
  const { Environment, KMSKeyArn } = live;
  const beyond = [
    KMSKeyArn && `its variables are encrypted with a key of its own, ${KMSKeyArn}`,
    Environment?.Error && `Lambda does not show its variables (${Environment.Error.ErrorCode})`,
    live.VpcConfig?.SubnetIds?.length && 'it is in a VPC, which a temporary function does not enter',
    live.FileSystemConfigs?.length && 'it mounts a file system',
    live.PackageType === 'Image' && 'it is a container image',
    live.CapacityProviderConfig && 'it runs on a capacity provider',
    live.DurableConfig && 'it is a durable function',
    live.TenancyConfig && 'it isolates tenants',
  ].filter((why) => typeof why === 'string');
  return { environment: Environment?.Variables ?? {}, beyond };
}

/** Where a function stands in the templates of a release. */
export interface Place {
  /** Its own template. */
  template: Template;
  /** Its logical id there. */
  logicalId: string;
  /** The parameters that each nesting template gives inwards, the outermost first. */
  given: readonly Readonly<Record<string, unknown>>[];
}

/** Logical id of the role that a function has in its template, where that is a resource of it. */
function roleOf(template: Template, id: string): string | undefined {
  const role = objectOf(objectOf(objectOf(objectOf(template['Resources'])[id])['Properties'])['Role']);
  const target = role['Fn::GetAtt'];
  const name = Array.isArray(target)
    ? target[0]
    : typeof target === 'string'
      ? target.split('.')[0]
      : role['Ref'];
  return typeof name === 'string' ? name : undefined;
}

/** The resource that says what a function's role may do, where it is another one in the new template than before. */
function changedRights(now: Place, before: Place): string | undefined {
  const [resources, old] = [now, before].map(({ template }) => objectOf(template['Resources']));
  const role = roleOf(now.template, now.logicalId);
  return Object.keys({ ...old, ...resources }).find((id) => {
    const one = resources?.[id] ?? old?.[id];
    const type = isObject(one) ? String(one['Type']) : '';
    const counts = id === role || (type.startsWith('AWS::IAM::') && type !== 'AWS::IAM::Role');
    return counts && json(resources?.[id]) !== json(old?.[id]);
  });
}

/** A parameter by which a nested stack is given something else than before. A layer is ours to give, and no matter here. */
function changedParameter(now: Place, before: Place): string | undefined {
  return now.given
    .flatMap((given, depth) =>
      Object.entries(given).map(([name, value]) => ({ name, value, old: before.given[depth]?.[name] })),
    )
    .find(({ value, old }) => !holdsLayerMark(value) && json(value) !== json(old))?.name;
}

/**
 * Why a twin would say nothing of a function, or undefined where it does.
 * @param now where it stands in the new templates, @param before in those that run
 */
export function whyNoTwin(
  { environment, foreignLayers }: Pick<PlannedFunction, 'environment' | 'foreignLayers'>,
  now: Place,
  before: Place,
  live: LiveFunction,
): string | undefined {
  if (live.beyond[0] !== undefined) return live.beyond[0];
  if (foreignLayers > 0) return 'it uses layers that the release does not make';
  const key = SOURCE_KEYS.find((path) => written(now.template, now.logicalId, ...path) !== NOT_WRITTEN);
  if (key) return `its code is encrypted with a key of its own, ${key.join('.')}`;
  const differs = (...path: string[]) =>
    written(now.template, now.logicalId, ...path) !== written(before.template, before.logicalId, ...path);
  const reach = REACH.find((key) => differs(key)) ?? changedRights(now, before);
  if (reach !== undefined) return `the release changes its ${reach}`;
  const parameter = changedParameter(now, before);
  if (parameter !== undefined) return `the release gives another ${parameter} to its stack`;
  const variable = Object.entries(environment).find(
    ([name, value]) =>
      value === UNKNOWN_VALUE && (differs('Environment', 'Variables', name) || !(name in live.environment)),
  );
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
      value === UNKNOWN_VALUE ? (ownValue(live.environment, name) ?? value) : value,
    ]),
  );
}
