import { MissingFileError, type PlimsollError, TemplateError, UnsupportedProjectError } from '../errors.ts';
import { readProjectFile } from './files.ts';
import { isObject, objectOf, resolveText, type Scope } from './intrinsics.ts';
import { pathInProject } from './path.ts';
import { parseYaml } from './yaml.ts';

/**
 * Files that a template names by a local path, as definitions of state machines, APIs and resolvers. `sam package` puts them
 * into a bucket; here their text goes into the template, where it is looked at, hashed, kept and restored with the rest.
 */

/** A property that may name a file, and the one that takes what the file holds. */
interface Inline {
  from: string;
  to: string;
  /** An object, its JSON, or the text as it is. */
  as: 'object' | 'json' | 'text';
}

const API: Inline[] = [{ from: 'DefinitionUri', to: 'DefinitionBody', as: 'object' }];
const BODY: Inline[] = [{ from: 'BodyS3Location', to: 'Body', as: 'object' }];
const RESOLVER: Inline[] = [
  { from: 'CodeS3Location', to: 'Code', as: 'text' },
  { from: 'RequestMappingTemplateS3Location', to: 'RequestMappingTemplate', as: 'text' },
  { from: 'ResponseMappingTemplateS3Location', to: 'ResponseMappingTemplate', as: 'text' },
];

/** AWS CLI reference, "cloudformation package"; the properties are those of the CloudFormation template reference. */
const INLINE: Readonly<Record<string, readonly Inline[]>> = {
  'AWS::Serverless::StateMachine': [{ from: 'DefinitionUri', to: 'Definition', as: 'object' }],
  'AWS::StepFunctions::StateMachine': [{ from: 'DefinitionS3Location', to: 'DefinitionString', as: 'json' }],
  'AWS::Serverless::Api': API,
  'AWS::Serverless::HttpApi': API,
  'AWS::ApiGateway::RestApi': BODY,
  'AWS::ApiGatewayV2::Api': BODY,
  'AWS::AppSync::GraphQLSchema': [{ from: 'DefinitionS3Location', to: 'Definition', as: 'text' }],
  'AWS::AppSync::Resolver': RESOLVER,
  'AWS::AppSync::FunctionConfiguration': RESOLVER,
};

/** A path, and no address: s3://…, https://… */
export const isLocal = (text: string | undefined): text is string =>
  text !== undefined && text !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(text);

/** Is told what is no reason not to build, and one not to release. */
export type Later = (error: PlimsollError) => void;

async function contentOf(root: string, path: string, where: string, as: Inline['as']): Promise<unknown> {
  const text = await readProjectFile(root, path);
  if (text === undefined)
    throw new MissingFileError(`${where}: there is no file ${path}; create it or correct the template`);
  if (as === 'text') return text;
  const content = parseYaml(text, path);
  if (!isObject(content)) throw new TemplateError(`${path}: is no map; ${where} takes a definition`);
  return as === 'json' ? JSON.stringify(content) : content;
}

async function inlined(
  root: string,
  file: string,
  logicalId: string,
  resource: Record<string, unknown>,
  scope: Scope,
  later: Later,
): Promise<Record<string, unknown>> {
  const type = String(resource['Type']);
  const properties = { ...objectOf(resource['Properties']) };
  for (const { from, to, as } of INLINE[type] ?? []) {
    const text = resolveText(properties[from], scope);
    if (!isLocal(text)) continue;
    const where = `${file}: Resources.${logicalId}.Properties.${from}`;
    const path = pathInProject(file, text);
    if (path === undefined)
      throw new UnsupportedProjectError(
        `${where}: ${text} is outside the project; put it beside the template`,
      );
    const content = await contentOf(root, path, where, as).catch((error) => {
      if (!(error instanceof MissingFileError)) throw error;
      later(error);
    });
    if (content === undefined) continue;
    delete properties[from];
    properties[to] = content;
  }
  return { ...resource, Properties: properties };
}

/**
 * A template with the files in it that it names by their paths. Nothing else changes.
 * @param file path of the template in the project, to which the paths in it are relative
 * @param later is told of files that are not there: `sam build` does not look for them either
 * @throws TemplateError, ProjectError, UnsupportedProjectError naming the resource and what to do
 */
export async function withFiles(
  root: string,
  file: string,
  document: Readonly<Record<string, unknown>>,
  scope: Scope,
  later: Later,
): Promise<Record<string, unknown>> {
  const entries = Object.entries(objectOf(document['Resources'])).map(async ([logicalId, resource]) => {
    const type = objectOf(resource)['Type'];
    const counts = typeof type === 'string' && Object.hasOwn(INLINE, type);
    return [
      logicalId,
      counts && isObject(resource) ? await inlined(root, file, logicalId, resource, scope, later) : resource,
    ] as const;
  });
  return { ...document, Resources: Object.fromEntries(await Promise.all(entries)) };
}
