import { UnsupportedProjectError } from '../errors.ts';
import type { ForeignBuild } from './foreign.ts';
import { isObject, objectOf } from './intrinsics.ts';
import type { Project } from './project.ts';

/** Functions that cannot be built where a build runs: container images, and what needs tools that are not there. */

/** A function that is not built here, and why, for people. */
export interface Unbuilt {
  /** Of a nested template STACK.RESOURCE, at whatever depth. */
  logicalId: string;
  why: string;
}

/** Tools of which `sam build` needs one, by Lambda's names of runtimes and by BuildMethod (SAM developer guide, "sam build"). */
const TOOLS: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^makefile$/, ['make']],
  [/^(nodejs|esbuild)/, ['npm']],
  [/^java/, ['mvn', 'gradle']],
  [/^dotnet/, ['dotnet']],
  [/^ruby/, ['bundle']],
  [/^go/, ['go']],
  [/^rust/, ['cargo']],
];

/** Why `sam build` cannot build something on a machine; undefined where it can. */
function missingTool(foreign: ForeignBuild, hasTool: (name: string) => boolean): string | undefined {
  if (!('sam' in foreign)) return undefined;
  const { Properties, Metadata } = foreign.sam;
  const method = String(Metadata?.['BuildMethod'] ?? Properties['Runtime'] ?? '');
  const tools = TOOLS.find(([pattern]) => pattern.test(method))?.[1] ?? [];
  if (tools.length === 0 || tools.some(hasTool)) return undefined;
  return `${method} is built by ${tools.join(' or ')}, which this machine does not have`;
}

/**
 * A project without the functions that cannot be built on a machine; these are named. Pure.
 * @param hasTool whether the machine has a program
 */
export function withoutUnbuilt(project: Project, hasTool: (name: string) => boolean): Project {
  const lacking = project.functions.flatMap(({ logicalId, foreign }) => {
    const why = foreign && missingTool(foreign, hasTool);
    return why === undefined ? [] : [{ logicalId, why }];
  });
  return {
    ...project,
    functions: project.functions.filter(
      ({ logicalId }) => !lacking.some((one) => one.logicalId === logicalId),
    ),
    unbuilt: [...project.unbuilt, ...lacking],
  };
}

/** @throws UnsupportedProjectError naming the functions of a project that no build of the pipeline can build */
export function rejectUnbuilt({ templateFile, unbuilt }: Project): void {
  const [first] = unbuilt;
  if (first)
    throw new UnsupportedProjectError(
      `${templateFile}: ${first.logicalId} is ${first.why}\n  Build and push it, and give its ImageUri.`,
    );
}

/** What a function answers in the place of one that was not built. */
const stubOf = ({ logicalId, why }: Unbuilt) =>
  `def handler(event, context):\n    raise RuntimeError(${JSON.stringify(`${logicalId} was not built: ${why}`)})\n`;

const OF_IMAGES = ['PackageType', 'ImageConfig', 'ImageUri', 'Code', 'CodeUri', 'Layers'];

function withStub(resource: unknown, unbuilt: Unbuilt): unknown {
  if (!isObject(resource)) return resource;
  const { Metadata: _, ...rest } = resource;
  const kept = Object.entries(objectOf(resource['Properties'])).filter(([key]) => !OF_IMAGES.includes(key));
  const code =
    resource['Type'] === 'AWS::Lambda::Function'
      ? { Code: { ZipFile: stubOf(unbuilt) } }
      : { InlineCode: stubOf(unbuilt) };
  return {
    ...rest,
    Properties: {
      ...Object.fromEntries(kept),
      ...code,
      PackageType: 'Zip',
      Handler: 'index.handler',
      Runtime: 'python3.12',
    },
  };
}

/**
 * A template in which functions that were not built say so when they are called, and what refers to them still finds them. Pure.
 * @param inside what stands before the template's logical ids: empty, or `Data.` of a nested one
 */
export function withStubs(
  document: Readonly<Record<string, unknown>>,
  unbuilt: readonly Unbuilt[],
  inside: string,
): Record<string, unknown> {
  const stubs = new Map(unbuilt.map((one) => [one.logicalId, one]));
  const Resources = Object.fromEntries(
    Object.entries(objectOf(document['Resources'])).map(([id, resource]) => {
      const stub = stubs.get(inside + id);
      return [id, stub ? withStub(resource, stub) : resource];
    }),
  );
  return { ...document, Resources };
}
