import { UnsupportedProjectError } from '../errors.ts';
import { isObject, resolveText, type Scope } from '../project/intrinsics.ts';

/**
 * What a project's template may not do: give its roles more than the pipeline's permissions boundary allows, or its
 * functions a role that others have made. All of it pure.
 */

type Template = Readonly<Record<string, unknown>>;

const ROLE = 'AWS::IAM::Role';
/** For these SAM makes a role, unless they name one. */
const WITH_ROLE = ['AWS::Serverless::Function', 'AWS::Serverless::StateMachine'];
/** Types with a property Role that AWS acts with. */
const ACTING = [...WITH_ROLE, 'AWS::Lambda::Function'];

export interface Rights {
  /** ARN of the permissions boundary of all roles. */
  boundary: string;
  /** ARNs of roles that functions may have, beside those of their own template. */
  roles: readonly string[];
}

const object = (value: unknown): Record<string, unknown> => (isObject(value) ? value : {});
const globalsOf = (template: Template) => object(object(template['Globals'])['Function']);

/** The logical id of the role that a node names by !GetAtt X.Arn or ${X.Arn}. */
function localRole(node: unknown): string | undefined {
  if (!isObject(node)) return undefined;
  const target = node['Fn::GetAtt'];
  if (Array.isArray(target) && target[1] === 'Arn') return String(target[0]);
  const text = node['Fn::Sub'];
  return typeof text === 'string' ? /^\$\{([A-Za-z0-9]+)\.Arn\}$/.exec(text)?.[1] : undefined;
}

/** Whether a role is one of the template, or one that the pipeline was told to trust. */
function isTrusted(node: unknown, template: Template, { roles }: Rights, scope: Scope): boolean {
  const local = localRole(node);
  if (local !== undefined) return object(object(template['Resources'])[local])['Type'] === ROLE;
  if (isObject(node) && Array.isArray(node['Fn::If']))
    return node['Fn::If']
      .slice(1)
      .every((one) => isNothing(one) || isTrusted(one, template, { boundary: '', roles }, scope));
  const text = resolveText(node, scope);
  return text !== undefined && roles.includes(text);
}

const isNothing = (node: unknown) => isObject(node) && node['Ref'] === 'AWS::NoValue';

/**
 * Refuses a template that asks for rights which no project gets here.
 * @param file name of the template, for people
 * @throws UnsupportedProjectError naming the resource, what it asks for and what to do
 */
export function refuseForeignRights(file: string, template: Template, rights: Rights, scope: Scope): void {
  const check = (where: string, properties: Record<string, unknown>) => {
    const { Role, PermissionsBoundary } = properties;
    if (Role !== undefined && !isTrusted(Role, template, rights, scope))
      throw new UnsupportedProjectError(
        `${file}: ${where}.Role: ${JSON.stringify(Role)} is no role of this template; leave Role out and name its Policies, or deploy the pipeline with -c roles=ARN`,
      );
    if (PermissionsBoundary !== undefined && resolveText(PermissionsBoundary, scope) !== rights.boundary)
      throw new UnsupportedProjectError(
        `${file}: ${where}.PermissionsBoundary: ${JSON.stringify(PermissionsBoundary)}; every role gets the pipeline's own, so leave it out, or deploy the pipeline with -c permissionsBoundary=ARN`,
      );
  };
  check('Globals.Function', globalsOf(template));
  for (const [id, resource] of Object.entries(object(template['Resources']))) {
    const { Type, Properties } = object(resource);
    if (typeof Type !== 'string') continue;
    const { Role, PermissionsBoundary } = object(Properties);
    if (ACTING.includes(Type)) check(`Resources.${id}`, { Role, PermissionsBoundary });
    if (Type === ROLE) check(`Resources.${id}`, { PermissionsBoundary });
  }
}

/** The template with the boundary on every role that it makes, itself or through SAM. Done twice, it is the same. */
export function withBoundary(template: Template, { boundary }: Rights): Template {
  const globals = globalsOf(template);
  const Resources = Object.fromEntries(
    Object.entries(object(template['Resources'])).map(([id, resource]) => {
      const { Type, Properties } = object(resource);
      const properties = object(Properties);
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
