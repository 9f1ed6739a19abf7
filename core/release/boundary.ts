import { UnsupportedProjectError } from '../errors.ts';
import { isObject, objectOf, resolveText, type Scope } from '../project/intrinsics.ts';
import { LANGUAGE_EXTENSIONS } from '../project/language-extensions.ts';
import { SAM_TRANSFORM } from '../project/template.ts';
// The role that CloudFormation has is written from the same list (infra/cloudformation-role.ts).
import published from './resource-types.json' with { type: 'json' };

/**
 * What a project's template may not do: give its roles more than the pipeline's permissions boundary allows, give its
 * functions a role that others have made, or ask for resources that the pipeline may not create. All of it pure.
 */

type Template = Readonly<Record<string, unknown>>;

const ROLE = 'AWS::IAM::Role';
/** For these SAM makes a role, unless they name one. */
const WITH_ROLE = ['AWS::Serverless::Function', 'AWS::Serverless::StateMachine'];

export interface Rights {
  /** ARN of the permissions boundary of all roles. */
  boundary: string;
  /** ARNs of roles that functions may have, beside those of their own template. */
  roles: readonly string[];
  /** What becomes of functions that cannot be built: nothing is released, or they say so when they are called. */
  unbuilt: 'reject' | 'stub';
  /** Resource types that templates may ask for beside those that CloudFormation's role may create by itself; * at the end of one stands for anything. */
  types: readonly string[];
}

/** A template with what is known of it, and of the one that nests it. */
export interface Within {
  template: Template;
  scope: Scope;
  /** What the nesting template gives to its parameters, and that template. */
  outer?: { given: Readonly<Record<string, unknown>>; within: Within };
}

const globalsOf = (template: Template) => objectOf(objectOf(template['Globals'])['Function']);

/** The logical id of the role that a node names by !GetAtt X.Arn or ${X.Arn}. */
function localRole(node: unknown): string | undefined {
  if (!isObject(node)) return undefined;
  const target = node['Fn::GetAtt'];
  if (Array.isArray(target) && target[1] === 'Arn') return String(target[0]);
  const text = node['Fn::Sub'];
  return typeof text === 'string' ? /^\$\{([A-Za-z0-9]+)\.Arn\}$/.exec(text)?.[1] : undefined;
}

const typeOf = ({ template }: Within, id: unknown) =>
  typeof id === 'string' ? objectOf(objectOf(template['Resources'])[id])['Type'] : undefined;

/** What the nesting template gives to the parameter that a node is, with that template. */
function givenTo(node: unknown, { outer }: Within): [node: unknown, within: Within] | undefined {
  const name = isObject(node) ? node['Ref'] : undefined;
  return typeof name === 'string' && outer && Object.hasOwn(outer.given, name)
    ? [outer.given[name], outer.within]
    : undefined;
}

/** In the place of ARNs, or of types: templates may name whatever there is. */
export const ALL = '*';

/** Whether a role is one of the template, or of the one that nests it, or one that the pipeline was told to trust. */
function isTrusted(node: unknown, within: Within, rights: Rights): boolean {
  const local = localRole(node);
  if (local !== undefined) return typeOf(within, local) === ROLE;
  if (isObject(node) && Array.isArray(node['Fn::If']))
    return node['Fn::If'].slice(1).every((one) => isNothing(one) || isTrusted(one, within, rights));
  const given = givenTo(node, within);
  if (given) return isTrusted(...given, rights);
  if (rights.roles.includes(ALL)) return true;
  const text = resolveText(node, within.scope);
  return text !== undefined && rights.roles.includes(text);
}

/** The command by which the pipeline's owner lets templates name a role. */
function commandFor(role: unknown, { scope }: Within): string {
  const arn = resolveText(role, scope);
  return arn === undefined
    ? 'only the deployment knows it\n  Give it as a parameter, --parameter NAME=ARN, and let templates name it: npx cdk deploy -c roles=ARN'
    : `npx cdk deploy -c roles=${arn}`;
}

const isNothing = (node: unknown) => isObject(node) && node['Ref'] === 'AWS::NoValue';

/** A property by which something acts with a role: Role, RoleArn, ExecutionRoleArn, ServiceRoleARN. */
const ROLE_KEY = /^(Role|\w*Role(Arn|ARN))$/;

/** Every property of a resource that names a role, at whatever depth, with its path. */
function rolesIn(node: unknown, path: string): { path: string; role: unknown }[] {
  if (Array.isArray(node)) return node.flatMap((item, index) => rolesIn(item, `${path}[${index}]`));
  return Object.entries(objectOf(node)).flatMap(([key, value]) =>
    ROLE_KEY.test(key) ? [{ path: `${path}.${key}`, role: value }] : rolesIn(value, `${path}.${key}`),
  );
}

/** Where a macro stands that would change the template after it was looked at. */
function macroIn(node: unknown, path: string): string | undefined {
  if (Array.isArray(node)) return node.map((item, index) => macroIn(item, `${path}[${index}]`)).find(Boolean);
  return Object.entries(objectOf(node))
    .map(([key, value]) =>
      key === 'Fn::Transform' || key.startsWith('Fn::ForEach')
        ? `${path}.${key}`
        : macroIn(value, `${path}.${key}`),
    )
    .find(Boolean);
}

/** What SAM makes of these, CloudFormation's role may; of AWS::Serverless::CapacityProvider it makes other things. */
const SAM_TYPES = [
  'Api',
  'Application',
  'Connector',
  'Function',
  'GraphQLApi',
  'HttpApi',
  'LayerVersion',
  'SimpleTable',
  'StateMachine',
  'WebSocketApi',
].map((name) => `AWS::Serverless::${name}`);

const CONNECTOR = 'AWS::Serverless::Connector';
const RECORDS = 'AWS::Route53::RecordSetGroup';

/** CDK adds it to its templates; CloudFormation makes nothing of it. */
const METADATA = 'AWS::CDK::Metadata';

const matches = (pattern: string, type: string): boolean =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

const isPermitted = (type: string, more: readonly string[]): boolean =>
  Object.hasOwn(published.types, type) ||
  more.some((pattern) => matches(pattern, type)) ||
  SAM_TYPES.includes(type) ||
  type === METADATA ||
  type.startsWith('Custom::');

/** The type that a resource is, or that SAM makes of it, which CloudFormation's role may not; undefined where there is none. */
function unpermitted(
  type: string,
  properties: Readonly<Record<string, unknown>>,
  more: readonly string[],
): { type: string; why: string } | undefined {
  if (!isPermitted(type, more)) return { type, why: '' };
  const records = type.startsWith('AWS::Serverless::') && objectOf(properties['Domain'])['Route53'];
  return records && !isPermitted(RECORDS, more)
    ? { type: RECORDS, why: ', which SAM makes of Domain.Route53,' }
    : undefined;
}

const FUNCTIONS = [
  'AWS::Lambda::Alias',
  'AWS::Lambda::Function',
  'AWS::Lambda::Version',
  'AWS::Serverless::Function',
];

/** What changes something that it names: a policy on it, leave to call it, what triggers it. By its type, the property and what that may name. */
const ATTACHED: Readonly<Record<string, { key: string; types: readonly string[] }>> = {
  'AWS::Cognito::IdentityPoolRoleAttachment': {
    key: 'IdentityPoolId',
    types: ['AWS::Cognito::IdentityPool'],
  },
  'AWS::IAM::ManagedPolicy': { key: 'Roles', types: [ROLE] },
  'AWS::IAM::Policy': { key: 'Roles', types: [ROLE] },
  'AWS::IAM::RolePolicy': { key: 'RoleName', types: [ROLE] },
  'AWS::Lambda::Alias': { key: 'FunctionName', types: FUNCTIONS },
  'AWS::Lambda::EventInvokeConfig': { key: 'FunctionName', types: FUNCTIONS },
  'AWS::Lambda::EventSourceMapping': { key: 'FunctionName', types: FUNCTIONS },
  'AWS::Lambda::Permission': { key: 'FunctionName', types: FUNCTIONS },
  'AWS::Lambda::Url': { key: 'TargetFunctionArn', types: FUNCTIONS },
  'AWS::Lambda::Version': { key: 'FunctionName', types: FUNCTIONS },
  'AWS::S3::BucketPolicy': { key: 'Bucket', types: ['AWS::S3::Bucket'] },
  'AWS::SecretsManager::ResourcePolicy': { key: 'SecretId', types: ['AWS::SecretsManager::Secret'] },
  'AWS::SecretsManager::RotationSchedule': { key: 'SecretId', types: ['AWS::SecretsManager::Secret'] },
  'AWS::SNS::TopicInlinePolicy': { key: 'TopicArn', types: ['AWS::SNS::Topic'] },
  'AWS::SNS::TopicPolicy': { key: 'Topics', types: ['AWS::SNS::Topic'] },
  'AWS::SQS::QueueInlinePolicy': { key: 'Queue', types: ['AWS::SQS::Queue'] },
  'AWS::SQS::QueuePolicy': { key: 'Queues', types: ['AWS::SQS::Queue'] },
};

/**
 * Whether a node names something that the template makes, or the one that nests it, or a list of such. What it names must
 * be of these types: an attribute of a parameter or of a custom resource is whatever somebody wants it to be.
 */
function isLocal(node: unknown, within: Within, types: readonly string[]): boolean {
  if (Array.isArray(node)) return node.every((item) => isLocal(item, within, types));
  if (!isObject(node)) return false;
  if (isNothing(node)) return true;
  if (Array.isArray(node['Fn::If'])) return isLocal(node['Fn::If'].slice(1), within, types);
  const given = givenTo(node, within);
  if (given) return isLocal(...given, types);
  const [target] = Array.isArray(node['Fn::GetAtt']) ? node['Fn::GetAtt'] : [node['Ref']];
  const text = typeof node['Fn::Sub'] === 'string' ? node['Fn::Sub'] : '';
  // One thing of the template, perhaps with a qualifier: ${Hello.Arn}:live.
  const name = target ?? /^\$\{([A-Za-z0-9]+)(\.[A-Za-z]+)?\}(:[\w-]+)?$/.exec(text)?.[1];
  return types.includes(String(typeOf(within, name)));
}

/** What a connector joins, with its path: SAM gives one end rights on the other, by policies on their roles and on what they name. */
function connectorEnds(resource: Readonly<Record<string, unknown>>): [path: string, end: unknown][] {
  const ends = (properties: unknown, path: string): [string, unknown][] =>
    ['Source', 'Destination'].flatMap((key) =>
      [objectOf(properties)[key] ?? []].flat().map((end): [string, unknown] => [`${path}.${key}`, end]),
    );
  return resource['Type'] === CONNECTOR
    ? ends(resource['Properties'], 'Properties')
    : Object.entries(objectOf(resource['Connectors'])).flatMap(([name, one]) =>
        ends(objectOf(one)['Properties'], `Connectors.${name}.Properties`),
      );
}

/**
 * Refuses a template that asks for rights which no project gets here, or of which nobody can say what it asks for.
 * @param file name of the template, for people
 * @throws UnsupportedProjectError naming the resource, what it asks for and what to do
 */
export function refuseForeignRights(file: string, within: Within, rights: Rights): void {
  const { template, scope } = within;
  const refuse = (problem: string): never => {
    throw new UnsupportedProjectError(`${file}: ${problem}`);
  };
  const transforms = [template['Transform'] ?? SAM_TRANSFORM].flat();
  const macro = transforms.some((one) => one !== SAM_TRANSFORM && one !== LANGUAGE_EXTENSIONS)
    ? `Transform ${JSON.stringify(template['Transform'])}`
    : macroIn(template, 'template');
  if (macro !== undefined)
    refuse(
      `${macro}: only ${SAM_TRANSFORM}, ${LANGUAGE_EXTENSIONS} and files of the project are expanded here, so that nothing comes in which nobody has looked at; write out what it makes, and leave it out`,
    );
  const check = (where: string, properties: unknown) => {
    for (const { path, role } of rolesIn(properties, where))
      if (!isNothing(role) && !isTrusted(role, within, rights))
        refuse(
          `${path}: ${JSON.stringify(role)} is no role of this template; name one of its own, or the Policies of a function; or let templates name it: ${commandFor(role, within)}`,
        );
    const boundary = objectOf(properties)['PermissionsBoundary'];
    if (boundary !== undefined && resolveText(boundary, scope) !== rights.boundary)
      refuse(
        `${where}.PermissionsBoundary: ${JSON.stringify(boundary)}; every role gets the pipeline's own, so leave it out, or deploy the pipeline with -c permissionsBoundary=ARN`,
      );
  };
  check('Globals.Function', globalsOf(template));
  for (const [id, resource] of Object.entries(objectOf(template['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    check(`Resources.${id}`, Properties);
    const foreign = unpermitted(String(Type), objectOf(Properties), rights.types);
    if (foreign)
      refuse(
        `Resources.${id}: ${foreign.type}${foreign.why} is no type that the pipeline may create; deploy it in a stack of its own, and give its name or ARN to this one as a parameter; or let the pipeline create it: npx cdk deploy -c types=${foreign.type} -c policies=ARN, with a managed policy that allows it`,
      );
    for (const [path, end] of connectorEnds(objectOf(resource)))
      if (typeOf(within, objectOf(end)['Id']) === undefined)
        refuse(
          `Resources.${id}.${path}: ${JSON.stringify(end)} is not of this template; a connector changes what it joins, so name the Id of a resource that the template makes`,
        );
    const attached = ATTACHED[String(Type)];
    const named = attached && objectOf(Properties)[attached.key];
    if (named !== undefined && !isLocal(named, within, attached?.types ?? []))
      refuse(
        `Resources.${id}.${attached?.key}: ${JSON.stringify(named)} is not of this template; a ${Type} changes what it names, so name something that the template makes`,
      );
  }
}

/** The template with the boundary on every role that it makes, itself or through SAM. Done twice, it is the same. */
export function withBoundary(template: Template, { boundary }: Rights): Template {
  const globals = globalsOf(template);
  const Resources = Object.fromEntries(
    Object.entries(objectOf(template['Resources'])).map(([id, resource]) => {
      const { Type, Properties } = objectOf(resource);
      const properties = objectOf(Properties);
      const makesRole =
        Type === ROLE ||
        (WITH_ROLE.includes(String(Type)) &&
          !('Role' in properties) &&
          !(Type === 'AWS::Serverless::Function' && 'Role' in globals));
      if (!isObject(resource) || !makesRole) return [id, resource];
      return [id, { ...resource, Properties: { ...properties, PermissionsBoundary: boundary } }];
    }),
  );
  return { ...template, Resources };
}
