import { TemplateError, UnsupportedProjectError } from '../errors.ts';
import { readProjectFile } from './files.ts';
import { withFiles } from './inline.ts';
import { isObject, objectOf, ownValue, resolveText, type Scope } from './intrinsics.ts';
import { pathInProject } from './path.ts';
import { OUTERMOST, type Place, type ProjectTemplate, readTemplate } from './template.ts';

/** What CloudFormation makes of each of them. */
export const NESTED_STACK = 'AWS::CloudFormation::Stack';

/** Types that bring a template of their own, by the property that says where it lies. */
const NESTED: Readonly<Record<string, string>> = {
  [NESTED_STACK]: 'TemplateURL',
  'AWS::Serverless::Application': 'Location',
};

/** The property in which a resource of a type has its template, or undefined where it has none. */
export const nestingKey = (type: unknown): string | undefined =>
  typeof type === 'string' ? ownValue(NESTED, type) : undefined;

/** CloudFormation has no limit of its own for the depth; nobody goes that deep but by a circle. */
const MAX_DEPTH = 5;

/** A template of the project that another one nests. */
export interface NestedTemplate {
  /** Logical id in the template that nests it. */
  logicalId: string;
  /** Path in the project. */
  file: string;
  /** As it is read: its layers and functions have logical ids such as `Data.Orders`. */
  template: ProjectTemplate;
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
  const path = pathInProject(file, text);
  if (path === undefined)
    throw new UnsupportedProjectError(`${where}: ${text} is outside the project; put it beside the template`);
  return path;
}

/** A template that may nest others. */
interface Nesting {
  /** Path in the project. */
  file: string;
  template: ProjectTemplate;
  scope: Scope;
  place: Place;
  /** 0 for the project's own. */
  depth: number;
}

/** The layer of the project that a node refers to in a template, by its logical id there or by a parameter. */
function layerOf(node: unknown, { template, place }: Nesting): string | undefined {
  const name = isObject(node) ? node['Ref'] : undefined;
  if (typeof name !== 'string') return undefined;
  return (
    place.givenLayers.get(name) ??
    template.layers.find(({ logicalId }) => logicalId === place.inside + name)?.logicalId
  );
}

/** Nobody could prove a function with a layer whose ARN comes out of a stack that is not there yet. */
function refuseLayersOfOutputs({ file, template }: Nesting, nested: readonly NestedTemplate[]): void {
  for (const [logicalId, resource] of Object.entries(objectOf(template.document['Resources']))) {
    const layers = objectOf(objectOf(resource)['Properties'])['Layers'];
    for (const entry of Array.isArray(layers) ? layers : []) {
      const [stack, output] = getAttOf(entry);
      const inner = nested.find((one) => one.logicalId === stack);
      const builds = inner?.template.layers.length ?? 0;
      if (builds > 0 && output?.startsWith('Outputs.'))
        throw new UnsupportedProjectError(
          `${file}: Resources.${logicalId}.Properties.Layers: ${stack}.${output} is an output of a nested stack that builds layers; put the layer into ${file}, and give it to ${stack} as a parameter`,
        );
    }
  }
}

/** Resource and attribute of a Fn::GetAtt, in either of its forms. */
function getAttOf(node: unknown): (string | undefined)[] {
  const target = isObject(node) ? node['Fn::GetAtt'] : undefined;
  const parts = Array.isArray(target)
    ? target.map(String)
    : typeof target === 'string'
      ? target.split('.')
      : [];
  return [parts[0], parts.slice(1).join('.')];
}

async function readOne(
  root: string,
  file: string,
  logicalId: string,
  given: Record<string, unknown>,
  outer: Nesting,
  where: string,
): Promise<NestedTemplate> {
  const depth = outer.depth + 1;
  if (depth > MAX_DEPTH)
    throw new UnsupportedProjectError(
      `${where}: ${file} is nested more than ${MAX_DEPTH} deep; does a template nest itself?`,
    );
  const text = await readProjectFile(root, file);
  if (text === undefined)
    throw new TemplateError(`${where}: there is no file ${file}; create it or correct the template`);
  const known = Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) => {
      const found = resolveText(value, outer.scope);
      return found === undefined ? [] : [[name, found]];
    }),
  );
  const givenLayers = new Map(
    Object.entries(given).flatMap(([name, value]) => {
      const layer = layerOf(value, outer);
      return layer === undefined ? [] : [[name, layer] as const];
    }),
  );
  const place = { inside: `${outer.place.inside}${logicalId}.`, givenLayers };
  const read = readTemplate(text, file, known, place);
  const { scope } = read;
  // A default is not what it has where the nesting template gives a value that only the deployment knows.
  const parameters = Object.fromEntries(
    Object.entries(scope.parameters).filter(
      ([name]) => !Object.hasOwn(given, name) || Object.hasOwn(known, name),
    ),
  );
  const inner = { ...scope, parameters };
  const template = { ...read, document: await withFiles(root, file, read.document, inner) };
  const nested = await readInside(root, { file, template, scope: inner, place, depth });
  return { logicalId, file, template, scope: inner, given, nested };
}

async function readInside(root: string, outer: Nesting): Promise<NestedTemplate[]> {
  const { file, template, scope } = outer;
  const result: NestedTemplate[] = [];
  for (const [logicalId, resource] of Object.entries(objectOf(template.document['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    const key = nestingKey(Type);
    if (key === undefined) continue;
    const properties = objectOf(Properties);
    const where = `${file}: Resources.${logicalId}.Properties.${key}`;
    const path = pathOf(file, where, properties[key], scope);
    const given = objectOf(properties['Parameters']);
    result.push(await readOne(root, path, logicalId, given, outer, where));
  }
  refuseLayersOfOutputs(outer, result);
  return result;
}

/**
 * The templates that the project's own template nests, and what these nest.
 * @throws TemplateError, UnsupportedProjectError, ProjectError naming the resource and what to do
 */
export function readNested(root: string, file: string, template: ProjectTemplate): Promise<NestedTemplate[]> {
  return readInside(root, { file, template, scope: template.scope, place: OUTERMOST, depth: 0 });
}

/** All of them, at whatever depth, the outer ones first. Pure. */
export const allNested = (nested: readonly NestedTemplate[]): NestedTemplate[] =>
  nested.flatMap((one) => [one, ...allNested(one.nested)]);

/** A template in which nested ones are taken from where they were put. Pure. @param urls by logical id */
export function withNested(
  document: Readonly<Record<string, unknown>>,
  urls: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const Resources = Object.fromEntries(
    Object.entries(objectOf(document['Resources'])).map(([id, resource]) => {
      const url = urls.get(id);
      const key = nestingKey(objectOf(resource)['Type']);
      if (url === undefined || key === undefined || !isObject(resource)) return [id, resource];
      return [id, { ...resource, Properties: { ...objectOf(resource['Properties']), [key]: url } }];
    }),
  );
  return { ...document, Resources };
}
