import { realpath } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { TemplateError, UnsupportedProjectError } from '../errors.ts';
import { ifThere, readProjectFile, refuseLinkOutside } from './files.ts';
import { withIncludes } from './include.ts';
import { isLocal, type Later, withFiles } from './inline.ts';
import { isObject, objectOf, ownValue, resolveText, type Scope } from './intrinsics.ts';
import { ownOf } from './layer-list.ts';
import { pathInProject } from './path.ts';
import {
  OUTERMOST,
  outputOf,
  type Place,
  type ProjectTemplate,
  readTemplate,
  type TemplateFunction,
} from './template.ts';
import { parseTemplate } from './yaml.ts';

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

/**
 * Path in the project of a nested template, from the template that names it; undefined for one from elsewhere, which is no
 * reason not to build. @throws UnsupportedProjectError
 */
function pathOf(file: string, where: string, value: unknown, scope: Scope, later: Later): string | undefined {
  const text = resolveText(value, scope);
  if (!isLocal(text)) {
    later(
      new UnsupportedProjectError(
        `${where}: ${JSON.stringify(value)}: only templates of the project are nested, so that nothing comes in which nobody has looked at; put the template into the project, and give its path`,
      ),
    );
    return undefined;
  }
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

/** The layer of the project that a node refers to in a template, by its logical id there, by a parameter or by an output. */
function layerOf(node: unknown, { template, place }: Nesting): string | undefined {
  const output = outputOf(node);
  if (output !== undefined) return place.inside + output;
  const name = isObject(node) ? node['Ref'] : undefined;
  if (typeof name !== 'string') return undefined;
  return (
    place.givenLayers.get(name) ??
    template.layers.find(({ logicalId }) => logicalId === place.inside + name)?.logicalId
  );
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

/**
 * The layer of the project that an output of a nested stack answers, or undefined where it is another's.
 * @param name `Data.Outputs.Core`, or of a stack that is nested deeper `Data.More.Outputs.Core`
 */
function layerOfOutput(name: string, nested: readonly NestedTemplate[], inside = ''): string | undefined {
  const stack = nested.find(({ logicalId }) => name.startsWith(`${logicalId}.`));
  if (!stack) return undefined;
  const path = `${inside}${stack.logicalId}.`;
  const rest = name.slice(stack.logicalId.length + 1);
  const output = /^Outputs\.([A-Za-z0-9]+)$/.exec(rest)?.[1];
  if (output === undefined) return layerOfOutput(rest, stack.nested, path);
  const { document, layers } = stack.template;
  const value = objectOf(objectOf(document['Outputs'])[output])['Value'];
  const [inner, attribute] = getAttOf(value);
  if (inner !== undefined) return layerOfOutput(`${inner}.${attribute}`, stack.nested, path);
  const own = isObject(value) ? value['Ref'] : undefined;
  return layers.find(({ logicalId }) => logicalId === `${path}${String(own)}`)?.logicalId;
}

/** Functions whose layers come out of nested stacks, with these layers by their logical ids. Pure. */
export const withLayersOfOutputs = (
  functions: readonly TemplateFunction[],
  nested: readonly NestedTemplate[],
): TemplateFunction[] =>
  functions.map((fn) => {
    const listed = fn.listed.map((one) =>
      typeof one === 'string' && one.includes('.Outputs.')
        ? (layerOfOutput(one, nested) ?? { name: one })
        : one,
    );
    return { ...fn, layers: ownOf(listed), listed };
  });

async function readOne(
  root: string,
  file: string,
  logicalId: string,
  given: Record<string, unknown>,
  outer: Nesting,
  where: string,
  later: Later,
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
  const givenLater = Object.keys(given).filter((name) => !Object.hasOwn(known, name));
  const place = { inside: `${outer.place.inside}${logicalId}.`, givenLayers, givenLater };
  const written = await withIncludes(root, file, parseTemplate(text, file), known, later);
  const read = readTemplate(written, file, known, place);
  const { scope } = read;
  // A default is not what it has where the nesting template gives a value that only the deployment knows.
  const parameters = Object.fromEntries(
    Object.entries(scope.parameters).filter(([name]) => !givenLater.includes(name)),
  );
  const inner = { ...scope, parameters };
  const template = { ...read, document: await withFiles(root, file, read.document, inner, later) };
  const nested = await readInside(root, { file, template, scope: inner, place, depth }, later);
  return { logicalId, file, template, scope: inner, given, nested };
}

/** Where a template really lies, from which its own paths are counted: SAM follows links, too. */
async function behindLink(root: string, path: string): Promise<string> {
  await refuseLinkOutside(root, path);
  const real = await ifThere(realpath(join(root, path)));
  return real === undefined ? path : relative(await realpath(root), real);
}

async function readInside(root: string, outer: Nesting, later: Later): Promise<NestedTemplate[]> {
  const { file, template, scope } = outer;
  const result: NestedTemplate[] = [];
  for (const [logicalId, resource] of Object.entries(objectOf(template.document['Resources']))) {
    const { Type, Properties } = objectOf(resource);
    const key = nestingKey(Type);
    if (key === undefined) continue;
    const properties = objectOf(Properties);
    const where = `${file}: Resources.${logicalId}.Properties.${key}`;
    const path = pathOf(file, where, properties[key], scope, later);
    if (path === undefined) continue;
    const given = objectOf(properties['Parameters']);
    result.push(await readOne(root, await behindLink(root, path), logicalId, given, outer, where, later));
  }
  return result;
}

/**
 * The templates that the project's own template nests, and what these nest.
 * @param later is told what is no reason not to build, and one not to release
 * @throws TemplateError, UnsupportedProjectError, ProjectError naming the resource and what to do
 */
export function readNested(
  root: string,
  file: string,
  template: ProjectTemplate,
  later: Later,
): Promise<NestedTemplate[]> {
  return readInside(root, { file, template, scope: template.scope, place: OUTERMOST, depth: 0 }, later);
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
