import { MissingFileError, TemplateError, UnsupportedProjectError } from '../errors.ts';
import { MAX_TEMPLATE_BYTES, readProjectFile } from './files.ts';
import { isLocal, type Later } from './inline.ts';
import { isObject, objectOf, resolveText, type Scope, scopeOf } from './intrinsics.ts';
import { pathInProject } from './path.ts';
import { parseTemplate } from './yaml.ts';

/**
 * Files of the project that a template takes in by AWS::Include. `sam package` puts them into a bucket, from where
 * CloudFormation takes them before any other transform; here they are taken in before anything is looked at. CloudFormation
 * template reference, "AWS::Include transform"; AWS CLI reference, "cloudformation package".
 */
const INCLUDE = 'AWS::Include';

const isInclude = (node: unknown) => objectOf(node)['Name'] === INCLUDE;

class Includer {
  /** What is taken in altogether, in bytes. */
  private bytes = 0;

  constructor(
    private readonly root: string,
    /** The template, to which locations are relative. */
    private readonly file: string,
    private readonly scope: Scope,
    private readonly later: Later,
  ) {}

  /** What an included file holds; nothing where it is not to be had, which is no reason not to build. */
  private async content(node: unknown, where: string): Promise<Record<string, unknown>> {
    const named = `${this.file}: ${where}.Parameters.Location`;
    const location = objectOf(objectOf(node)['Parameters'])['Location'];
    const text = resolveText(location, this.scope);
    if (!isLocal(text)) {
      this.later(
        new UnsupportedProjectError(
          `${named}: ${JSON.stringify(location)}: only files of the project are included, so that nothing comes in which nobody has looked at; put the file into the project, and give its path`,
        ),
      );
      return {};
    }
    const path = pathInProject(this.file, text);
    if (path === undefined)
      throw new UnsupportedProjectError(
        `${named}: ${text} is outside the project; put it beside the template`,
      );
    const written = await readProjectFile(this.root, path);
    if (written === undefined) {
      this.later(
        new MissingFileError(`${named}: there is no file ${path}; create it or correct the template`),
      );
      return {};
    }
    this.bytes += Buffer.byteLength(written);
    if (this.bytes > MAX_TEMPLATE_BYTES)
      throw new TemplateError(
        `${named}: more than ${MAX_TEMPLATE_BYTES} bytes with what is included, CloudFormation takes no such template; move some of it into a nested stack`,
      );
    const content = parseTemplate(written, path);
    if (!isObject(content))
      throw new TemplateError(`${path}: is no map; what a template includes is one of keys and values`);
    // `sam package` puts the file there as it stands: a path in it would lead nowhere.
    if (JSON.stringify(content).includes('"Fn::Transform":'))
      throw new UnsupportedProjectError(
        `${path}: Fn::Transform: a file that is included cannot include others; name them in ${this.file}`,
      );
    return content;
  }

  /** A map with more of its kind. @throws TemplateError where a key stands in both */
  private merged(
    map: Readonly<Record<string, unknown>>,
    content: Readonly<Record<string, unknown>>,
    where: string,
  ): Record<string, unknown> {
    const twice = Object.keys(content).find((key) => Object.hasOwn(map, key));
    if (twice !== undefined)
      throw new TemplateError(
        `${this.file}: ${where}: ${twice} stands in the template and in the file that it includes; take one of them out`,
      );
    return { ...map, ...content };
  }

  /** A node with what stands below it taken in. */
  async expand(node: unknown, where: string): Promise<unknown> {
    if (Array.isArray(node)) {
      const items: unknown[] = [];
      for (const [index, item] of node.entries()) items.push(await this.expand(item, `${where}[${index}]`));
      return items;
    }
    if (!isObject(node)) return node;
    const { 'Fn::Transform': transform, ...rest } = node;
    const isOurs = isInclude(transform);
    const entries: [string, unknown][] = [];
    for (const [key, value] of Object.entries(isOurs ? rest : node))
      entries.push([key, await this.expand(value, where === '' ? key : `${where}.${key}`)]);
    const map = Object.fromEntries(entries);
    if (!isOurs) return map;
    const at = where === '' ? 'Fn::Transform' : `${where}.Fn::Transform`;
    return this.merged(map, await this.content(transform, at), at);
  }

  /** The files that the template's own Transform includes: they hold whole sections. */
  async top(document: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
    const { Transform: transform, ...rest } = document;
    const all = [transform].flat();
    if (!all.some(isInclude)) return document;
    const others = all.filter((one) => !isInclude(one));
    let result: Record<string, unknown> =
      others.length === 0 ? rest : { Transform: others.length === 1 ? others[0] : others, ...rest };
    for (const one of all.filter(isInclude))
      result = this.merged(result, await this.content(one, 'Transform'), 'Transform');
    return result;
  }
}

/**
 * A template with the files of the project in it that it includes.
 * @param file its path in the project
 * @param overrides values of its parameters, over their defaults
 * @param later is told of files that are not there or not the project's: `sam build` does not look for them either
 * @throws TemplateError, ProjectError, UnsupportedProjectError naming the place and what to do
 */
export async function withIncludes(
  root: string,
  file: string,
  document: unknown,
  overrides: Readonly<Record<string, string>>,
  later: Later,
): Promise<unknown> {
  if (!isObject(document)) return document;
  const includer = new Includer(root, file, scopeOf(document, overrides), later);
  return includer.expand(await includer.top(document), '');
}
