import { isAbsolute, join, normalize, posix, sep } from 'node:path';
import { TemplateError, UnsupportedProjectError } from '../errors.ts';
import { isObject, objectOf, resolveText, type Scope } from './intrinsics.ts';
import { type ProjectTemplate, readTemplate } from './template.ts';
import { readProjectFile } from './yaml.ts';

/** What CloudFormation makes of each of them. */
export const NESTED_STACK = 'AWS::CloudFormation::Stack';

/** Types that bring a template of their own, by the property that says where it lies. */
export const NESTED: Readonly<Record<string, string>> = {
  [NESTED_STACK]: 'TemplateURL',
  'AWS::Serverless::Application': 'Location',
};

/** CloudFormation has no limit of its own for the depth; nobody goes that deep but by a circle. */
const MAX_DEPTH = 5;

/** A template of the project that another one nests. */
export interface NestedTemplate {
  /** Logical id in the template that nests it. */
  logicalId: string;
  /** Path in the project. */
  file: string;
  document: Record<string, unknown>;
  /** What is known of its intrinsics, what the nesting template gives it included. */
  scope: Scope;
  /** Values of its parameters as the nesting template writes them. */
  given: Record<string, unknown>;
  nested: NestedTemplate[];
}

/** Path in the project of a nested template, from the template that names it. @throws UnsupportedProjectError */
function pathOf(file: string, where: string, value: unknown, scope: Scope): string {
  const text = resolveText(value, scope);
  if (text === undefined || /^[a-z][a-z0-9+.-]*:/i.test(text))
    throw new UnsupportedProjectError(
      `${where}: ${JSON.stringify(value)}: only templates of the project are nested, so that nothing comes in which nobody has looked at; put the template into the project, and give its path`,
    );
  const path = normalize(join(posix.dirname(file), text));
  if (isAbsolute(text) || path.split(sep).includes('..'))
    throw new UnsupportedProjectError(`${where}: ${text} is outside the project; put it beside the template`);
  return path;
}

function refuseWhatIsNotNested({ layers, functions, hasAliases }: ProjectTemplate, file: string): void {
  const [toBuild] = [...functions, ...layers];
  if (toBuild)
    throw new UnsupportedProjectError(
      `${file}: Resources.${toBuild.logicalId}: only the project's own template may have code that is still to be built; move it there, or give its code as s3://…`,
    );
  if (hasAliases)
    throw new UnsupportedProjectError(
      `${file}: AutoPublishAlias: aliases are held until they are proven in the project's own template alone; move the function there, or leave it out`,
    );
}

async function readOne(
  root: string,
  file: string,
  logicalId: string,
  given: Record<string, unknown>,
  outer: Scope,
  depth: number,
  where: string,
): Promise<NestedTemplate> {
  if (depth > MAX_DEPTH)
    throw new UnsupportedProjectError(
      `${where}: ${file} is nested more than ${MAX_DEPTH} deep; does a template nest itself?`,
    );
  const text = await readProjectFile(join(root, file), file);
  if (text === undefined)
    throw new TemplateError(`${where}: there is no file ${file}; create it or correct the template`);
  const known = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const found = resolveText(value, outer);
      return found === undefined ? [] : [[name, found]];
    }),
  );
  const template = readTemplate(text, file, known);
  refuseWhatIsNotNested(template, file);
  const { document, scope } = template;
  // A default is not what it has where the nesting template gives a value that only the deployment knows.
  const parameters = Object.fromEntries(
    Object.entries(scope.parameters).filter(
      ([name]) => !Object.hasOwn(given, name) || Object.hasOwn(known, name),
    ),
  );
  const inner = { ...scope, parameters };
  const nested = await readNested(root, file, document, inner, depth);
  return { logicalId, file, document, scope: inner, given, nested };
}

/**
 * The templates that a template of the project nests, and what these nest.
 * @param depth of the template that nests; 0 for the project's own
 * @throws TemplateError, UnsupportedProjectError, ProjectError naming the resource and what to do
 */
export async function readNested(
  root: string,
  file: string,
  document: Readonly<Record<string, unknown>>,
  scope: Scope,
  depth = 0,
): Promise<NestedTemplate[]> {
  const result: NestedTemplate[] = [];
  for (const [logicalId, resource] of Object.entries(objectOf(document['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    const key = NESTED[String(Type)];
    if (key === undefined) continue;
    const properties = objectOf(Properties);
    const where = `${file}: Resources.${logicalId}.Properties.${key}`;
    const path = pathOf(file, where, properties[key], scope);
    const given = objectOf(properties['Parameters']);
    result.push(await readOne(root, path, logicalId, given, scope, depth + 1, where));
  }
  return result;
}

/** A template in which nested ones are taken from where they were put. Pure. @param urls by logical id */
export function withNested(
  document: Readonly<Record<string, unknown>>,
  urls: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const Resources = Object.fromEntries(
    Object.entries(objectOf(document['Resources'])).map(([id, resource]) => {
      const url = urls.get(id);
      const key = NESTED[String(objectOf(resource)['Type'])];
      if (url === undefined || key === undefined || !isObject(resource)) return [id, resource];
      return [id, { ...resource, Properties: { ...objectOf(resource['Properties']), [key]: url } }];
    }),
  );
  return { ...document, Resources };
}
