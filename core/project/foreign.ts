import { z } from 'zod';
import { UnsupportedProjectError } from '../errors.ts';
import { isObject, resolve, type Scope, UNKNOWN } from './intrinsics.ts';

/** What a build needs that is not ours: SAM's own builders for other runtimes and for Metadata that names a build. */

const samResource = z.object({
  Type: z.string(),
  Properties: z.record(z.string(), z.unknown()),
  Metadata: z.record(z.string(), z.unknown()).optional(),
});

/** A resource as `sam build` reads it, every value written out. */
export type SamResource = z.infer<typeof samResource>;

/** How an artifact comes to be that we do not build: by `sam build`, or it is built already. */
export const foreignBuildSchema = z.union([
  z.object({ sam: samResource }),
  /** Path in the project. */
  z.object({ archive: z.string() }),
  /** Path in the project of a folder that is shipped as it is. */
  z.object({ folder: z.string() }),
]);
export type ForeignBuild = z.infer<typeof foreignBuildSchema>;

type Metadata = Readonly<Record<string, unknown>> | undefined;

/** What `sam package` uploads as it is. */
const ARCHIVE = /\.(zip|jar|war)$/i;
/** Lambda's own names: `python3.11`. */
const PYTHON_RUNTIME = /^python3\.\d+$/;

/** Whether Metadata leaves the build to the runtime's own way: BuildMethod is a Python, or is not there. */
const buildsPython = (metadata: Metadata) => /^python/.test(String(metadata?.['BuildMethod'] ?? 'python'));

/** The value of a node at whatever depth, or UNKNOWN. */
function resolveAll(node: unknown, scope: Scope): unknown {
  const value = resolve(node, scope);
  const parts = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
  const resolved = parts.map((part) => resolveAll(part, scope));
  if (value === UNKNOWN || resolved.includes(UNKNOWN)) return UNKNOWN;
  if (Array.isArray(value)) return resolved;
  return isObject(value)
    ? Object.fromEntries(Object.keys(value).map((key, index) => [key, resolved[index]]))
    : value;
}

/** Whether Metadata says that nothing is to be built: SAM's SkipBuild, and what CDK says of what it has bundled itself. Pure. */
export const isComplete = (metadata: Metadata): boolean =>
  ['SkipBuild', 'aws:asset:is-bundled'].some((key) =>
    [true, 'true', 'True'].includes(metadata?.[key] as string | boolean),
  );

/** Whether pyproject.toml says what is needed: BuildMethod python-uv. Pure. */
export const usesUv = (metadata: Metadata): boolean => metadata?.['BuildMethod'] === 'python-uv';

interface Declared {
  file: string;
  logicalId: string;
  /** Its code, or the layer's content: a path in the project. */
  path: string;
  metadata: Metadata;
  scope: Scope;
}

/**
 * How an artifact is built that we do not build, or undefined for one that we do: a Python function from a folder; a layer of
 * Python packages, or of plain files where Metadata names no build.
 * @throws UnsupportedProjectError naming the resource and what to do
 */
export function foreignBuild(
  { file, logicalId, path, metadata, scope }: Declared,
  { Type, Properties }: Pick<SamResource, 'Type' | 'Properties'>,
): ForeignBuild | undefined {
  if (ARCHIVE.test(path)) return { archive: path };
  const runtime = Properties['Runtime'];
  const isPython = runtime === undefined || PYTHON_RUNTIME.test(String(runtime));
  if (isPython && (buildsPython(metadata) || isComplete(metadata))) return undefined;
  if (isComplete(metadata)) return { folder: path };
  const where = `${file}: Resources.${logicalId}.Metadata`;
  const Metadata = resolveAll(metadata, scope);
  if (Metadata === UNKNOWN)
    throw new UnsupportedProjectError(
      `${where}: ${JSON.stringify(metadata)} cannot be known before deployment; write it out or use a parameter with a default`,
    );
  return { sam: samResource.parse({ Type, Properties, ...(Metadata === undefined ? {} : { Metadata }) }) };
}
