import { z } from 'zod';
import { isObject, objectOf, resolve, resolveText, type Scope, UNKNOWN } from '../project/intrinsics.ts';
import { noEchoIn } from '../project/no-echo.ts';
import { sha256 } from '../sha256.ts';
import type { LiveAlias } from './snapshot.ts';

/**
 * Holds aliases while new code is proven. In an expanded template, each Lambda version gets a logical id that follows from
 * the function's code, layers and configuration, and one parameter says for each alias where it
 * is held: at the version of that number, or not at all, so that it points at the new one. All of it pure.
 */

type Template = Readonly<Record<string, unknown>>;
type Resource = Readonly<Record<string, unknown>>;

/** An alias whose function has a version of its own in the template. */
export interface AliasOfVersion {
  /** Logical id of the alias. */
  alias: string;
  /** Logical id of its function. */
  function: string;
  /** Logical id of the version that it points at. */
  version: string;
}

/** An alias that is held while the new version of its function is proven. */
export const heldSchema = z.object({
  /** Logical ids of the alias, of its function and of the new version. */
  alias: z.string(),
  function: z.string(),
  version: z.string(),
  /** Physical name of the function, and the alias's own name. */
  functionName: z.string(),
  name: z.string(),
  /** Number of the version at which it is held. */
  from: z.string(),
});
export type Held = z.infer<typeof heldSchema>;

const ALIAS = 'AWS::Lambda::Alias';
const VERSION = 'AWS::Lambda::Version';
const FUNCTION = 'AWS::Lambda::Function';

/** Properties that are no part of what a version is: a change of these alone publishes none (Lambda: PublishVersion). */
const NOT_OF_A_VERSION = new Set([
  'CodeSigningConfigArn',
  'RecursiveLoop',
  'ReservedConcurrentExecutions',
  'RuntimeManagementConfig',
  'Tags',
]);

/**
 * Name of the parameter by which a template holds its aliases: their versions, one beside the other, since a template may have
 * 200 parameters (CloudFormation quotas) and a stack more aliases, those of the stacks that it nests included.
 */
const HOLDS = 'PlimsollHolds';

/** In the place of the version of an alias that is not held. No version has this number. */
const FREE = '0';

/** Name of the parameter by which a template hands on one of a stack that it nests. Names have no place for a dot. */
const handedOn = (stack: string, parameter: string) =>
  `${HOLDS}${sha256(`${stack}.${parameter}`).slice(0, 16)}`;

export const isHoldParameter = (name: string): boolean => name.startsWith(HOLDS);
const holdCondition = (alias: string) => `PlimsollHolds${alias}`;

const resourcesOf = (template: Template) =>
  Object.entries(objectOf(template['Resources'])).filter(
    (entry): entry is [string, Record<string, unknown>] => isObject(entry[1]),
  );
const propertiesOf = (resource: Resource | undefined) => objectOf(resource?.['Properties']);
const refOf = (node: unknown) =>
  isObject(node) && typeof node['Ref'] === 'string' ? node['Ref'] : undefined;
const getAttOf = (node: unknown) => {
  const target = isObject(node) ? node['Fn::GetAtt'] : undefined;
  return Array.isArray(target) && typeof target[0] === 'string' ? target[0] : undefined;
};

/** The aliases of a template that point at a version of a function, both being resources of it. */
export function aliasesOf(template: Template): AliasOfVersion[] {
  const resources = new Map(resourcesOf(template));
  return [...resources].flatMap(([alias, resource]) => {
    if (resource['Type'] !== ALIAS) return [];
    const target = propertiesOf(resource)['FunctionVersion'];
    const held = isObject(target) && Array.isArray(target['Fn::If']) ? target['Fn::If'][2] : target;
    const version = getAttOf(held);
    const of = version === undefined ? undefined : resources.get(version);
    const fn = refOf(propertiesOf(of)['FunctionName']);
    if (version === undefined || of?.['Type'] !== VERSION || fn === undefined) return [];
    if (resources.get(fn)?.['Type'] !== FUNCTION) return [];
    return [{ alias, function: fn, version }];
  });
}

/** A node with all that is known put in, and numbers as CloudFormation hands them on: what differs here differs in Lambda. */
function effective(node: unknown, scope: Scope): unknown {
  const value = resolve(node, scope);
  const known = value === UNKNOWN ? node : value;
  if (typeof known === 'number' || typeof known === 'boolean') return String(known);
  if (Array.isArray(known)) return known.map((item) => effective(item, scope));
  if (!isObject(known)) return known;
  return Object.fromEntries(
    Object.entries(known)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, effective(item, scope)]),
  );
}

/** Logical id of the version that a function as it stands in the template would publish. */
function versionId(id: string, fn: Resource, scope: Scope): string {
  const { Code, ...rest } = propertiesOf(fn);
  // The key says what the code is; where it lies, and in which version of the object, does not change it.
  const code = objectOf(Code);
  const what = 'S3Key' in code ? code['S3Key'] : code;
  const configuration = Object.entries(rest).filter(([name]) => !NOT_OF_A_VERSION.has(name));
  const content = effective([what, Object.fromEntries(configuration)], scope);
  return `${id}Version${sha256(JSON.stringify(content)).slice(0, 10)}`;
}

/** A node with logical ids renamed wherever it refers to them. */
function renamed(node: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(node)) return node.map((item) => renamed(item, names));
  if (!isObject(node)) return node;
  const nameOf = (value: unknown) => (typeof value === 'string' ? (names.get(value) ?? value) : value);
  const inText = (text: string) =>
    text.replace(/\$\{([A-Za-z0-9]+)/g, (whole, id: string) =>
      names.has(id) ? `\${${names.get(id)}` : whole,
    );
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => {
      if (key === 'Ref') return [key, nameOf(value)];
      if (key === 'DependsOn') return [key, Array.isArray(value) ? value.map(nameOf) : nameOf(value)];
      if (key === 'Fn::GetAtt' && Array.isArray(value)) return [key, [nameOf(value[0]), ...value.slice(1)]];
      if (key === 'Fn::Sub' && typeof value === 'string') return [key, inText(value)];
      if (key === 'Fn::Sub' && Array.isArray(value) && typeof value[0] === 'string')
        return [key, [inText(value[0]), renamed(value[1], names)]];
      return [key, renamed(value, names)];
    }),
  );
}

function scopeOf(template: Template, parameters: Readonly<Record<string, string>>): Scope {
  const declared = Object.entries(objectOf(template['Parameters'])).map(
    ([name, one]) => [name, objectOf(one)] as const,
  );
  const defaults = declared.flatMap(([name, { Default }]) =>
    Default === undefined ? [] : [[name, String(Default)] as const],
  );
  // The stack may have another value than the default, which nobody sees.
  const hidden = noEchoIn(template).map((name) => [name, ''] as const);
  return {
    parameters: { ...Object.fromEntries(defaults), ...Object.fromEntries(hidden), ...parameters },
    mappings: objectOf(template['Mappings']),
    conditions: objectOf(template['Conditions']),
  };
}

const declaration = (stack: string, count: number) => ({
  Type: 'String',
  Default: Array(count).fill(FREE).join(),
  AllowedPattern: '[0-9]+(,[0-9]+)*',
  Description: `While a release is proven, the versions at which aliases in ${stack} are held`,
});

/** Values of the parameters that hold aliases, by name: the numbers of versions, in the order of `aliasesOf`. */
export type Holds = Readonly<Record<string, string>>;

/**
 * What holds a template's own aliases.
 * @param template as `holdable` gives it @param held the aliases to hold, the others are free
 * @param inside what stands before the template's logical ids in these
 */
export function holdsOf(template: Template, held: readonly Held[], inside = ''): Holds {
  const aliases = aliasesOf(template);
  if (aliases.length === 0) return {};
  const versions = new Map(held.map(({ alias, from }) => [alias, from]));
  return { [HOLDS]: aliases.map(({ alias }) => versions.get(inside + alias) ?? FREE).join() };
}

/**
 * The template of a stack that nests another one, with parameters that hold the aliases in there, handed on to it.
 * @param inner what holds them there
 * @returns the values of these parameters beside it
 */
export function withHoldsOf(
  template: Template,
  stack: string,
  inner: Holds,
): { template: Template; holds: Holds } {
  const handed = Object.entries(inner).map(([name, value]) => ({
    name,
    value,
    outer: handedOn(stack, name),
  }));
  if (handed.length === 0) return { template, holds: {} };
  const resources = objectOf(template['Resources']);
  const resource = objectOf(resources[stack]);
  const properties = propertiesOf(resource);
  const given = handed.map(({ name, outer }) => [name, { Ref: outer }] as const);
  const Parameters = { ...objectOf(properties['Parameters']), ...Object.fromEntries(given) };
  const declared = handed.map(
    ({ outer, value }) => [outer, declaration(stack, value.split(',').length)] as const,
  );
  return {
    template: {
      ...template,
      Parameters: { ...objectOf(template['Parameters']), ...Object.fromEntries(declared) },
      Resources: { ...resources, [stack]: { ...resource, Properties: { ...properties, Parameters } } },
    },
    holds: Object.fromEntries(handed.map(({ outer, value }) => [outer, value])),
  };
}

/**
 * What the parameters of a nested stack are, as far as anybody can tell two releases apart by it: their values where these
 * are known, else what the nesting template says.
 */
export function givenValues(
  template: Template,
  parameters: Readonly<Record<string, string>>,
  stack: string,
): Record<string, string> {
  const scope = scopeOf(template, parameters);
  const given = propertiesOf(objectOf(objectOf(template['Resources'])[stack]))['Parameters'];
  return Object.fromEntries(
    Object.entries(objectOf(given)).map(([name, value]) => [
      name,
      resolveText(value, scope) ?? JSON.stringify(effective(value, scope)),
    ]),
  );
}

/**
 * The template with versions named by what they are, and a parameter that holds its aliases.
 * @param template expanded, with code and layers in it
 * @param parameters the values that CloudFormation will use, as far as they are known; `comparable` ones, so that a name
 *   never follows from a secret
 */
export function holdable(template: Template, parameters: Readonly<Record<string, string>>): Template {
  const aliases = aliasesOf(template);
  if (aliases.length === 0) return template;
  const scope = scopeOf(template, parameters);
  const resources = new Map(resourcesOf(template));
  const names = new Map(
    aliases.map(({ function: id, version }) => [version, versionId(id, resources.get(id) ?? {}, scope)]),
  );
  const body = objectOf(renamed(template, names));
  const Resources = Object.fromEntries(
    Object.entries(objectOf(body['Resources'])).map(([id, resource]) => [names.get(id) ?? id, resource]),
  );
  const conditions: Record<string, unknown> = {};
  for (const [index, { alias }] of aliases.entries()) {
    const resource = objectOf(Resources[alias]);
    const properties = propertiesOf(resource);
    const at = { 'Fn::Select': [String(index), { 'Fn::Split': [',', { Ref: HOLDS }] }] };
    conditions[holdCondition(alias)] = { 'Fn::Not': [{ 'Fn::Equals': [at, FREE] }] };
    const FunctionVersion = { 'Fn::If': [holdCondition(alias), at, properties['FunctionVersion']] };
    Resources[alias] = { ...resource, Properties: { ...properties, FunctionVersion } };
  }
  return {
    ...body,
    Parameters: { ...objectOf(body['Parameters']), [HOLDS]: declaration('this stack', aliases.length) },
    Conditions: { ...objectOf(body['Conditions']), ...conditions },
    Resources,
  };
}

/**
 * The template with the versions of another one beside its own, so that a rollback finds them as they were. They
 * belong to functions that are in both.
 */
export function withVersionsOf(template: Template, before: Template): Template {
  const resources = objectOf(template['Resources']);
  const older = resourcesOf(before).filter(([id, { Type, Properties, Condition }]) => {
    const fn = refOf(objectOf(Properties)['FunctionName']);
    return (
      Type === VERSION &&
      Condition === undefined &&
      !(id in resources) &&
      fn !== undefined &&
      isObject(resources[fn]) &&
      !('Condition' in resources[fn])
    );
  });
  return { ...template, Resources: { ...resources, ...Object.fromEntries(older) } };
}

/**
 * The aliases to hold: those that are live and whose function changes. On a first deployment there is nothing to hold.
 * @param template as `holdable` gives it
 * @param before the template that runs, or {} where nobody can say what is in it
 * @param live the aliases as they are now, @param inside what stands before the template's logical ids there, and in the answer
 */
export function heldAliases(
  template: Template,
  before: Template,
  live: readonly LiveAlias[],
  inside = '',
): Held[] {
  const resources = objectOf(before['Resources']);
  const nameIn = (from: Template, id: string) =>
    JSON.stringify(propertiesOf(objectOf(objectOf(from['Resources'])[id]))['FunctionName']);
  return aliasesOf(template).flatMap((one) => {
    const now = live.find(({ logicalId }) => logicalId === inside + one.alias);
    if (!now || one.version in resources) return [];
    // Under another name it is another function, which has none of the versions at which it could be held.
    if (one.function in resources && nameIn(template, one.function) !== nameIn(before, one.function))
      return [];
    const ids = { alias: inside + one.alias, function: inside + one.function, version: inside + one.version };
    return [{ ...ids, functionName: now.functionName, name: now.name, from: now.version }];
  });
}
