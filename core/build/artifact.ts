import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { arch } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { ImportCheckError } from '../errors.ts';
import type { ProvenUnit } from '../optimise/decide.ts';
import type { Decisions } from '../optimise/decisions.ts';
import { addFinder, HOOK, isHooked, listRemoved, setLazyRuntime } from '../optimise/finder.ts';
import { smaller } from '../optimise/native.ts';
import type { FetchableFile } from '../optimise/unit.ts';
import { keys } from '../release/release.ts';
import { folderSizes } from '../size/folders.ts';
import { beside, compileFiles, sourceless } from './bytecode.ts';
import { type ImportResult, importModules, topLevelModules } from './imports.ts';
import { type Installed, install } from './install.ts';
import type { Manifest } from './manifest.ts';
import { onlyOthersBring } from './others.ts';
import { replaceFile, replaceWithCopy } from './replace.ts';
import type { Distribution, Target } from './resolve.ts';
import { runtimePackages } from './runtime-packages.ts';
import { type Built, seal } from './seal.ts';
import { searchPath } from './search-path.ts';
import { listTree, type TreeFile, totalBytes } from './tree.ts';
import { findPython } from './uv.ts';
import { writeZip, type ZipResult } from './zip.ts';

export interface ArtifactSpec {
  kind: 'layer' | 'function';
  name: string;
  key: string;
  target: Target;
  distributions: readonly Distribution[];
  /** Where distributions stand in the zip: `python` in a layer, the top in a function. */
  libraries: 'python' | '';
  /** Folder in which the zip is unpacked at run time: /opt or /var/task. */
  mount: string;
  /** Files of the project that the artifact ships, from where to what name in the zip. */
  sources: readonly { from: string; to: string }[];
  decisions: Decisions;
  /** The tree in which it was decided and proven, when it is still there; it is taken, not copied. */
  decided?: ProvenUnit | undefined;
  /** Modules beyond the distributions' own that must import. */
  modules: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Unpacked layers that stand on the path beside this artifact: their python/ folders. */
  beside: readonly string[];
  /** Where copies of the runtime's own packages are kept. */
  runtimes: string;
  /** Folder of the wheels that were built here. */
  wheels: string;
  /** Whether layers of others, which nobody here has looked into, stand beside it. */
  others?: boolean;
  /** What a person should know of it, once its distributions are installed. */
  notes?: (distributions: Manifest['distributions']) => readonly string[];
}

/** What functions may fetch, beside the artifact's zip. */
export const REMOVED_FILE = 'removed.zip';

/** Names the step that begins, for live progress. */
export type OnStep = (step: string) => void;

/** Puts files of the project into a tree. */
export async function copySources(sources: ArtifactSpec['sources'], tree: string): Promise<void> {
  for (const { from, to } of sources) await replaceWithCopy(from, join(tree, to));
}

/** Does to the files of a tree what the optimiser has decided. */
async function trim(libraries: string, { remove, compact }: Decisions): Promise<void> {
  for (const path of remove) await rm(join(libraries, path));
  for (const path of compact) {
    const result = smaller(await readFile(join(libraries, path)));
    if (result) await replaceFile(join(libraries, path), result.bytes);
  }
}

/** This machine's processor, as Lambda names it. */
export const machine = () => (arch() === 'arm64' ? 'arm64' : 'x86_64');

/** Whether this machine runs the target's code. */
export const canRun = ({ architecture }: Target): boolean => architecture === machine();

/** The module that an import lacks and that only a layer of others can bring. */
const notChecked = ({ others = false, modules }: ArtifactSpec, error: string): string | undefined =>
  others ? onlyOthersBring(error, modules) : undefined;

function report(spec: ArtifactSpec, results: readonly ImportResult[]): void {
  const unstartable = results.find(({ module, kind }) => kind === 'certain' && spec.modules.includes(module));
  if (unstartable)
    throw new ImportCheckError(
      `${spec.kind} ${spec.name}: import ${unstartable.module}: ${unstartable.error}. Lambda could not start the function either. Correct its code.`,
    );
  const failed = results.filter(
    ({ kind, error = '' }) => kind === 'import' && notChecked(spec, error) === undefined,
  );
  if (failed.length === 0) return;
  const list = failed
    .slice(0, 5)
    .map(({ module, error }) => `${module}: ${error}`)
    .join('; ');
  const more = failed.length > 5 ? ` and ${failed.length - 5} more` : '';
  throw new ImportCheckError(
    `${spec.kind} ${spec.name}: ${failed.length} of ${results.length} modules do not import with just its own layers: ${list}${more}. Add what is missing to its requirements.txt.`,
  );
}

/** Files of the project whose distribution is nobody's have their size counted as installed, too. */
function distributionSizes(
  installed: readonly Installed[],
  sizes: ReadonlyMap<string, number>,
): Manifest['distributions'] {
  return installed.map(({ name, version, files }) => ({
    name,
    version,
    installedBytes: files.reduce((sum, path) => sum + (sizes.get(path) ?? 0), 0),
    top: [...new Set(files.map((path) => path.split('/')[0] ?? path))].sort(),
  }));
}

/** What was installed into a tree, and the bytes of each file before anything was changed. */
type Packages = Pick<ProvenUnit, 'installed' | 'installedSizes'>;

/** Installs distributions, with the finder that their packages load. @throws InstallError */
export async function installPackages(
  distributions: readonly Distribution[],
  libraries: string,
  target: Target,
  wheels?: string,
): Promise<Packages> {
  const installed = await install(distributions, libraries, target, wheels);
  const files = listTree(libraries);
  await addFinder(
    libraries,
    files.map(({ path }) => path),
  );
  return { installed, installedSizes: new Map(files.map(({ path, bytes }) => [path, bytes])) };
}

/** Installs, copies and trims; or takes the tree in which all that was decided and proven, and so done. */
async function prepare(spec: ArtifactSpec, tree: string, removed: string, onStep: OnStep): Promise<Packages> {
  const libraries = join(tree, spec.libraries);
  if (spec.decided) {
    await setAside(spec.decided.fetchable, removed);
    await rename(spec.libraries === '' ? spec.decided.libraries : dirname(spec.decided.libraries), tree);
    return spec.decided;
  }
  onStep('install');
  const packages = await installPackages(spec.distributions, libraries, spec.target, spec.wheels);
  await copySources(spec.sources, tree);
  onStep('trim');
  const fetchable = spec.decisions.fetchable.map((path) => ({ path, from: join(libraries, path) }));
  await setAside(fetchable, removed);
  await trim(libraries, spec.decisions);
  await setLazyRuntime(libraries, Object.keys(spec.decisions.lazy).length > 0);
  return packages;
}

/** Copies removed files to where they are zipped from. */
const setAside = (files: readonly FetchableFile[], removed: string): Promise<void> =>
  copySources(
    files.map(({ from, path }) => ({ from, to: path })),
    removed,
  );

/** Zips what functions may fetch when they ask for it after all, compiled like all the rest. */
async function zipRemoved(
  spec: ArtifactSpec,
  removed: string,
  workdir: string,
  interpreter: string,
): Promise<ZipResult | undefined> {
  if (spec.decisions.fetchable.length === 0) return undefined;
  const sources = listTree(removed).flatMap(({ path }) => (path.endsWith('.py') ? [path] : []));
  const compiled = await compileFiles({
    interpreter,
    tree: removed,
    out: removed,
    prefix: posix.join(spec.mount, spec.libraries),
    hook: HOOK,
    columns: false,
    imports: false,
    files: sources.map((path) => {
      const { docstrings } = spec.decisions;
      return { path, to: sourceless(path), docstrings, hook: isHooked(path) };
    }),
  });
  for (const [path, result] of compiled) if (!('skipped' in result)) await rm(join(removed, path));
  const files = listTree(removed).map(({ path }) => path);
  return writeZip(removed, files, join(workdir, REMOVED_FILE));
}

/** Compiles what has no bytecode yet: third-party code loses its source, unless something reads it. */
async function compileTree(
  spec: ArtifactSpec,
  tree: string,
  interpreter: string,
): Promise<Manifest['bytecode']> {
  const { docstrings, sources, lazy } = spec.decisions;
  const own = new Set(spec.sources.map(({ to }) => to));
  const kept = new Set(sources.map((path) => posix.join(spec.libraries, path)));
  const isSourceless = (path: string) => !own.has(path) && !kept.has(path);
  const inLibraries = (path: string) => posix.relative(spec.libraries, path);
  const lazily = (path: string) => {
    const found = isSourceless(path) ? lazy[inLibraries(path)] : undefined;
    return found ? { lazy: found } : {};
  };
  const python = listTree(tree).flatMap(({ path }) => (path.endsWith('.py') ? [path] : []));
  const compile = (isWanted: (path: string) => boolean, columns: boolean) =>
    compileFiles({
      interpreter,
      tree,
      out: tree,
      prefix: spec.mount,
      hook: HOOK,
      imports: false,
      columns,
      files: python.filter(isWanted).map((path) => ({
        path,
        to: isSourceless(path) ? sourceless(path) : beside(path, spec.target.python),
        docstrings: docstrings || !isSourceless(path),
        hook: !own.has(path) && isHooked(inLibraries(path)),
        ...lazily(path),
      })),
    });
  const compiled = [
    ...(await compile(isSourceless, false)),
    ...(await compile((path) => !isSourceless(path), true)),
  ];
  const skipped: [string, string][] = [];
  for (const [path, result] of compiled) {
    if ('skipped' in result) skipped.push([path, result.skipped]);
    else if (isSourceless(path)) await rm(join(tree, path));
  }
  const bytecode = listTree(tree).filter(({ path }) => path.endsWith('.pyc'));
  return { compiled: bytecode.length, skipped: Object.fromEntries(skipped.sort()) };
}

/** Every file as installed: the distributions', and the project's own. */
async function installedFilesOf(spec: ArtifactSpec, { installedSizes }: Packages): Promise<TreeFile[]> {
  const own = await Promise.all(
    spec.sources.map(async ({ from, to }) => ({ path: to, bytes: (await stat(from)).size })),
  );
  return [...[...installedSizes].map(([path, bytes]) => ({ path, bytes })), ...own];
}

/** How the modules are imported: as the proof has seen it, else in a clean interpreter now. */
async function importsOf(
  { decided, beside: others, runtimes, target, environment }: ArtifactSpec,
  libraries: string,
  modules: readonly string[],
  interpreter: string,
  onStep: OnStep,
): Promise<readonly ImportResult[]> {
  if (decided) return decided.imports;
  onStep('imports');
  return importModules({
    interpreter,
    paths: searchPath(
      libraries,
      others,
      { environment: environment ?? {}, python: target.python },
      await runtimePackages(runtimes, target),
    ),
    modules,
    ...(environment ? { environment } : {}),
    onSlow: (module, ms) => onStep(`import ${module} runs for ${Math.round(ms / 1000)} s`),
  });
}

/**
 * Builds one artifact: install, copy, trim, compile, prove the imports, zip.
 * @param workdir an empty folder of this build's own
 * @throws InstallError, ImportCheckError, ToolMissingError
 */
export async function buildArtifact(
  spec: ArtifactSpec,
  workdir: string,
  onStep: OnStep = () => {},
): Promise<Built> {
  const tree = join(workdir, 'tree');
  const libraries = join(tree, spec.libraries);
  const interpreter = await findPython(spec.target.python, workdir);
  const removed = join(workdir, 'removed');
  await mkdir(removed);
  const packages = await prepare(spec, tree, removed, onStep);
  const { installed, installedSizes } = packages;
  const installedFiles = await installedFilesOf(spec, packages);

  onStep('bytecode');
  const bytecode = await compileTree(spec, tree, interpreter);
  const fetched = await zipRemoved(spec, removed, workdir, interpreter);
  await rm(removed, { recursive: true });
  const key = keys.removed(spec.kind, spec.name, spec.key);
  const fetch = fetched && { key, sha256: fetched.sha256 };
  await listRemoved(libraries, spec.name, spec.decisions.remove, fetch);

  const modules = [...new Set([...installed.flatMap(topLevelModules), ...spec.modules])];
  const runs = canRun(spec.target);
  const imports = runs ? await importsOf(spec, libraries, modules, interpreter, onStep) : [];
  report(spec, imports);

  const distributions = distributionSizes(installed, installedSizes);
  onStep('zip');
  return seal(tree, libraries, workdir, {
    kind: spec.kind,
    name: spec.name,
    key: spec.key,
    runtimes: [`python${spec.target.python}`],
    architectures: [spec.target.architecture],
    ...(fetched ? { removed: fetched } : {}),
    installedBytes: totalBytes(installedFiles),
    installedFolders: folderSizes(installedFiles),
    distributions,
    steps: spec.decisions.steps,
    bytecode,
    modules,
    imports: imports.map(({ module, ms }) => ({ module, ms })),
    notes: [
      ...(spec.notes?.(distributions) ?? []),
      ...(runs
        ? []
        : [
            `imports not checked: this machine is ${machine()}, the artifact is for ${spec.target.architecture}`,
          ]),
      ...imports.flatMap(({ module, error }) => {
        if (!error) return [];
        const missing = notChecked(spec, error);
        return missing === undefined
          ? [`${module} is there, but its own code failed outside Lambda: ${error}`]
          : [
              `${spec.kind} ${spec.name}: ${module} was not checked, since it needs ${missing}, which only a layer of others can bring`,
            ];
      }),
    ],
  });
}
