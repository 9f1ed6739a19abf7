import { join } from 'node:path';
import { runtimePackages } from '../core/build/runtime-packages.ts';
import { searchPath } from '../core/build/search-path.ts';
import { findPython } from '../core/build/uv.ts';
import type { Workspace, WorkspaceArtifact } from '../core/build/workspace.ts';
import type { Workload } from '../core/optimise/workload.ts';
import type { PlannedFunction } from '../core/release/build-plan.ts';
import { handlerModule } from '../core/release/entry.ts';
import { onPath } from '../core/release/versions.ts';

/** Where the packages of a built artifact lie. */
export const librariesOf = ({ manifest, folder }: WorkspaceArtifact): string =>
  manifest.kind === 'layer' ? join(folder, 'tree', 'python') : join(folder, 'tree');

/** The built layers of a function, the first on its path first. */
export const builtLayersOf = ({ layers }: PlannedFunction, { artifacts }: Workspace): WorkspaceArtifact[] =>
  onPath(layers).flatMap((name) => artifacts.get(name) ?? []);

/** The libraries of all layers of a function that are known here, the first on its path first. */
async function librariesOfStack({ stack }: PlannedFunction, workspace: Workspace): Promise<string[]> {
  const others = await workspace.treesOfOthers();
  return onPath(stack).flatMap((name) => {
    const own = workspace.artifacts.get(name);
    const tree = others.get(name);
    return own ? librariesOf(own) : tree === undefined ? [] : join(tree, 'python');
  });
}

/**
 * A function with some events, on what was built of it and its layers.
 * @param events that its handler is given
 */
export async function builtWorkload(
  fn: PlannedFunction,
  workspace: Workspace,
  events: Workload['events'],
): Promise<Workload> {
  const own = workspace.artifacts.get(fn.name);
  if (own === undefined) throw new Error(`${fn.name} is not built`);
  const { python } = fn.target;
  return {
    name: fn.name,
    interpreter: await findPython(python, workspace.folder),
    paths: searchPath(
      librariesOf(own),
      await librariesOfStack(fn, workspace),
      { environment: fn.environment, python },
      await runtimePackages(join(workspace.folder, 'runtimes'), fn.target),
    ),
    modules: [handlerModule(fn.handler)],
    handler: fn.handler,
    events,
    environment: fn.environment,
    bytecodeCache: join(workspace.folder, 'bytecode'),
  };
}
