import { UnsupportedProjectError } from '../errors.ts';
import { isObject, objectOf, resolveText, type Scope } from '../project/intrinsics.ts';
import { SAM_TRANSFORM } from '../project/template.ts';

/**
 * What a project's template may not do: give its roles more than the pipeline's permissions boundary allows, or its
 * functions a role that others have made. All of it pure.
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

/** Whether a role is one of the template, or one that the pipeline was told to trust. */
function isTrusted(node: unknown, template: Template, rights: Rights, scope: Scope): boolean {
  const local = localRole(node);
  if (local !== undefined) return objectOf(objectOf(template['Resources'])[local])['Type'] === ROLE;
  if (isObject(node) && Array.isArray(node['Fn::If']))
    return node['Fn::If'].slice(1).every((one) => isNothing(one) || isTrusted(one, template, rights, scope));
  const text = resolveText(node, scope);
  return text !== undefined && rights.roles.includes(text);
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

/** What brings templates of its own, which nobody has looked at. */
const NESTED = ['AWS::CloudFormation::Stack', 'AWS::Serverless::Application'];

/** What changes something that it names, by the property that names it: a policy on it, leave to call it, what triggers it. */
const ATTACHED: Readonly<Record<string, string>> = {
  'AWS::IAM::Policy': 'Roles',
  'AWS::IAM::RolePolicy': 'RoleName',
  'AWS::Lambda::Alias': 'FunctionName',
  'AWS::Lambda::EventInvokeConfig': 'FunctionName',
  'AWS::Lambda::EventSourceMapping': 'FunctionName',
  'AWS::Lambda::Permission': 'FunctionName',
  'AWS::Lambda::Url': 'TargetFunctionArn',
  'AWS::Lambda::Version': 'FunctionName',
  'AWS::S3::BucketPolicy': 'Bucket',
  'AWS::SNS::TopicInlinePolicy': 'TopicArn',
  'AWS::SNS::TopicPolicy': 'Topics',
  'AWS::SQS::QueueInlinePolicy': 'Queue',
  'AWS::SQS::QueuePolicy': 'Queues',
};

/** Whether a node names something of the template, or a list of such. */
function isLocal(node: unknown, template: Template): boolean {
  if (Array.isArray(node)) return node.every((item) => isLocal(item, template));
  if (!isObject(node)) return false;
  if (isNothing(node)) return true;
  if (Array.isArray(node['Fn::If'])) return isLocal(node['Fn::If'].slice(1), template);
  const [target] = Array.isArray(node['Fn::GetAtt']) ? node['Fn::GetAtt'] : [node['Ref']];
  const text = typeof node['Fn::Sub'] === 'string' ? node['Fn::Sub'] : '';
  // One thing of the template, perhaps with a qualifier: ${Hello.Arn}:live.
  const name = target ?? /^\$\{([A-Za-z0-9]+)(\.[A-Za-z]+)?\}(:[\w-]+)?$/.exec(text)?.[1];
  return typeof name === 'string' && name in objectOf(template['Resources']);
}

/**
 * Refuses a template that asks for rights which no project gets here, or of which nobody can say what it asks for.
 * @param file name of the template, for people
 * @throws UnsupportedProjectError naming the resource, what it asks for and what to do
 */
export function refuseForeignRights(file: string, template: Template, rights: Rights, scope: Scope): void {
  const refuse = (problem: string): never => {
    throw new UnsupportedProjectError(`${file}: ${problem}`);
  };
  const transforms = [template['Transform'] ?? SAM_TRANSFORM].flat();
  const macro = transforms.some((one) => one !== SAM_TRANSFORM)
    ? `Transform ${JSON.stringify(template['Transform'])}`
    : macroIn(template, 'template');
  if (macro !== undefined)
    refuse(
      `${macro}: only ${SAM_TRANSFORM} is expanded here, so that nothing comes in which nobody has looked at; write out what it makes, and leave it out`,
    );
  const check = (where: string, properties: unknown) => {
    for (const { path, role } of rolesIn(properties, where))
      if (!isNothing(role) && !isTrusted(role, template, rights, scope))
        refuse(
          `${path}: ${JSON.stringify(role)} is no role of this template; name one of its own, or the Policies of a function, or deploy the pipeline with -c roles=ARN`,
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
    if (NESTED.includes(String(Type)))
      refuse(
        `Resources.${id}: ${Type}: nested stacks are not deployed; put their resources into this template, or release them as projects of their own`,
      );
    check(`Resources.${id}`, Properties);
    const key = ATTACHED[String(Type)];
    const named = key === undefined ? undefined : objectOf(Properties)[key];
    if (named !== undefined && !isLocal(named, template))
      refuse(
        `Resources.${id}.${key}: ${JSON.stringify(named)} is not of this template; a ${Type} changes what it names, so name something that the template makes`,
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
