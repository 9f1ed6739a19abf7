import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UnsafeArchiveError } from '../errors.ts';
import type { ForeignBuild } from '../project/foreign.ts';
import { SMOKE_FOLDER } from '../project/project.ts';
import { listSources, rejectLink } from '../project/sources.ts';
import type { PlannedFunction, PlannedLayer } from '../release/build-plan.ts';
import { folderSizes } from '../size/folders.ts';
import { ARTIFACT_LIMITS } from '../size/limits.ts';
import { copySources, type OnStep } from './artifact.ts';
import { samBuild } from './sam-build.ts';
import { type Built, seal } from './seal.ts';
import { listTree, totalBytes } from './tree.ts';
import { unpack } from './unpack.ts';

interface ForeignContext {
  /** Folder of the project. */
  root: string;
  /** An empty folder of this build's own. */
  workdir: string;
}

/**
 * The tree of what others build: by `sam build`, or as it lies in an archive or a folder of the project.
 * @throws SamBuildError, UnsafeArchiveError, InstallError, ToolMissingError
 */
export async function foreignTree(
  logicalId: string,
  foreign: ForeignBuild,
  { root, workdir }: ForeignContext,
): Promise<string> {
  const tree = join(workdir, 'tree');
  if ('sam' in foreign) await samBuild({ root, logicalId, resource: foreign.sam, workdir, tree });
  else if ('archive' in foreign)
    await unpack(join(root, foreign.archive), tree, foreign.archive, ARTIFACT_LIMITS);
  else await copyFolder(root, foreign.folder, tree);
  return tree;
}

/** Plain files, those that links in the project lead to included. @throws ProjectError for other links */
export async function copyFolder(root: string, folder: string, tree: string): Promise<void> {
  const files = listSources(root, folder, () => false, rejectLink);
  await copySources(
    files.map(({ path }) => ({ from: join(root, folder, path), to: path })),
    tree,
  );
}

/** Tools that run while one develops are linked here; nothing loads them from there. */
const LINKED_TOOLS = /(^|\/)node_modules\/(.*\/)?\.bin\//;

/** An artifact holds plain files only: what is linked would be missing. @throws UnsafeArchiveError naming the link */
async function refuseLinks(name: string, tree: string): Promise<void> {
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  const link = entries
    .filter((entry) => entry.isSymbolicLink())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1))
    .find((path) => !LINKED_TOOLS.test(path));
  if (link !== undefined)
    throw new UnsafeArchiveError(
      `${name}: what was built holds the link ${link}; let its build copy the file, since an artifact holds plain files only`,
    );
}

type Foreign = (PlannedLayer | PlannedFunction) & { foreign?: ForeignBuild | undefined };

const runtimesOf = (artifact: Foreign) =>
  'runtime' in artifact
    ? { runtimes: [artifact.runtime], architectures: [artifact.architecture] }
    : { runtimes: artifact.runtimes, architectures: artifact.architectures };

/** What is done to build it, and what is said of it then. */
function wordsOf(foreign: ForeignBuild): [step: string, note: string] {
  if ('sam' in foreign) return ['sam build', 'built by sam build'];
  if ('archive' in foreign) return [`unpack ${foreign.archive}`, `as it lies in ${foreign.archive}`];
  return [`copy ${foreign.folder}`, `as it lies in ${foreign.folder}`];
}

/**
 * Builds an artifact that is not ours, and zips it as it is: nothing is trimmed, nothing proven; its smoke events are.
 * @throws as foreignTree
 */
export async function buildForeign(
  kind: 'layer' | 'function',
  artifact: Foreign,
  foreign: ForeignBuild,
  context: ForeignContext & { onStep?: OnStep | undefined },
): Promise<Built> {
  const { workdir, onStep = () => {} } = context;
  const [step, note] = wordsOf(foreign);
  onStep(step);
  const tree = await foreignTree(artifact.logicalId, foreign, context);
  if (kind === 'function') await rm(join(tree, SMOKE_FOLDER), { recursive: true, force: true });
  await refuseLinks(`${kind} ${artifact.name}`, tree);
  onStep('zip');
  const files = listTree(tree);
  return seal(tree, tree, workdir, {
    kind,
    name: artifact.name,
    key: artifact.key,
    ...runtimesOf(artifact),
    installedBytes: totalBytes(files),
    installedFolders: folderSizes(files),
    distributions: [],
    steps: [],
    bytecode: { compiled: 0, skipped: {} },
    modules: [],
    imports: [],
    notes: [note],
  });
}
