import { copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { dirname, join } from 'node:path';
import { ImportCheckError } from '../errors.ts';
import type { Decisions } from '../optimise/decisions.ts';
import { stripDocstrings } from '../optimise/docstrings.ts';
import { addFinder } from '../optimise/finder.ts';
import { smaller } from '../optimise/native.ts';
import type { Unit } from '../optimise/unit.ts';
import { compileTree } from './bytecode.ts';
import { type ImportResult, importModules, topLevelModules } from './imports.ts';
import { type Installed, install } from './install.ts';
import type { Manifest } from './manifest.ts';
import type { Distribution, Target } from './resolve.ts';
import { sbomOf } from './sbom.ts';
import { listTree, type TreeFile, totalBytes } from './tree.ts';
import { findPython } from './uv.ts';
import { writeZip } from './zip.ts';

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
  /** The tree in which it was decided, when it is still there; it is taken, not copied. */
  decided?: Unit | undefined;
  /** Modules beyond the distributions' own that must import. */
  modules: readonly string[];
  environment?: Readonly<Record<string, string>>;
  /** Unpacked layers that stand on the path beside this artifact: their python/ folders. */
  beside: readonly string[];
}

export interface Built {
  manifest: Manifest;
  /** Path of the zip. */
  zip: string;
  /** The unpacked tree. */
  tree: string;
}

/** Names the step that begins, for live progress. */
export type OnStep = (step: string) => void;

/** Puts files of the project into a tree. */
export async function copySources(sources: ArtifactSpec['sources'], tree: string): Promise<void> {
  for (const { from, to } of sources) {
    const target = join(tree, to);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(from, target);
  }
}

/** Does to a tree what the optimiser has decided. */
async function trim(
  libraries: string,
  { remove, compact, strip }: Decisions,
  interpreter: string,
): Promise<void> {
  for (const path of remove) await rm(join(libraries, path));
  for (const path of compact) {
    const result = smaller(await readFile(join(libraries, path)));
    if (result) await writeFile(join(libraries, path), result.bytes);
  }
  await stripDocstrings(libraries, strip, libraries, interpreter);
}

const machine = () => (arch() === 'arm64' ? 'arm64' : 'x86_64');

/** Whether this machine runs the target's code. */
export const canRun = ({ architecture }: Target): boolean => architecture === machine();

function report(spec: ArtifactSpec, results: readonly ImportResult[]): void {
  const failed = results.filter(({ kind }) => kind === 'import');
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
  }));
}

const sizesOf = (files: readonly TreeFile[]) => new Map(files.map(({ path, bytes }) => [path, bytes]));

/** Bytes of every file of a tree. */
export const installedSizesOf = async (libraries: string): Promise<Map<string, number>> =>
  sizesOf(await listTree(libraries));

/** What is in a tree when everything that was decided has been done to it. */
type Prepared = Pick<Unit, 'installed' | 'installedSizes'>;

/** Installs, copies and trims; or takes the tree in which all that was decided and proven, and so done. */
async function prepare(
  spec: ArtifactSpec,
  tree: string,
  interpreter: string,
  onStep: OnStep,
): Promise<Prepared> {
  const libraries = join(tree, spec.libraries);
  if (spec.decided) {
    await rename(spec.libraries === '' ? spec.decided.libraries : dirname(spec.decided.libraries), tree);
    return spec.decided;
  }
  onStep('install');
  const installed = await install(spec.distributions, libraries, spec.target);
  const installedSizes = await installedSizesOf(libraries);
  await copySources(spec.sources, tree);
  onStep('trim');
  await trim(libraries, spec.decisions, interpreter);
  return { installed, installedSizes };
}

/** Bytes as installed: the distributions', and those of the project's own files. */
async function installedBytesOf(spec: ArtifactSpec, { installedSizes }: Prepared): Promise<number> {
  const own = await Promise.all(spec.sources.map(({ from }) => stat(from)));
  return [...installedSizes.values(), ...own.map(({ size }) => size)].reduce((sum, bytes) => sum + bytes, 0);
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
  const prepared = await prepare(spec, tree, interpreter, onStep);
  const { installed, installedSizes } = prepared;
  const installedBytes = await installedBytesOf(spec, prepared);
  const left = new Set((await listTree(libraries)).map(({ path }) => path));
  await addFinder(libraries, spec.name, spec.decisions.remove, left);

  onStep('bytecode');
  const own = new Set(spec.sources.map(({ to }) => to));
  const python = (await listTree(tree)).map(({ path }) => path).filter((path) => path.endsWith('.py'));
  const parts = {
    files: python.filter((path) => own.has(path)),
    sourceless: python.filter((path) => !own.has(path)),
  };
  const bytecode = await compileTree(tree, parts, interpreter, spec.mount);

  onStep('imports');
  const modules = [...new Set([...installed.flatMap(topLevelModules), ...spec.modules])];
  const runs = canRun(spec.target);
  const imports = runs
    ? await importModules({
        interpreter,
        paths: [libraries, ...spec.beside],
        modules,
        ...(spec.environment ? { environment: spec.environment } : {}),
      })
    : [];
  report(spec, imports);

  onStep('zip');
  const files = await listTree(tree);
  const target = join(workdir, `${spec.kind}.zip`);
  const zip = await writeZip(
    tree,
    files.map(({ path }) => path),
    target,
  );
  const manifest: Manifest = {
    kind: spec.kind,
    name: spec.name,
    key: spec.key,
    python: spec.target.python,
    architecture: spec.target.architecture,
    zip,
    bytes: totalBytes(files),
    installedBytes,
    files: files.map(({ path, bytes }) => [path, bytes]),
    distributions: distributionSizes(installed, installedSizes),
    steps: spec.decisions.steps,
    bytecode,
    modules,
    imports: imports.map(({ module, ms }) => ({ module, ms })),
    notes: [
      ...(runs
        ? []
        : [
            `imports not checked: this machine is ${machine()}, the artifact is for ${spec.target.architecture}`,
          ]),
      ...imports
        .filter(({ error }) => error)
        .map(({ module, error }) => `${module} is there, but its own code failed outside Lambda: ${error}`),
    ],
  };
  const sbom = await sbomOf(spec.name, spec.key, libraries);
  await writeFile(join(workdir, 'sbom.cdx.json'), `${JSON.stringify(sbom)}\n`);
  await writeFile(join(workdir, 'manifest.json'), `${JSON.stringify(manifest)}\n`);
  return { manifest, zip: target, tree };
}
