import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, posix } from 'node:path';
import { ProjectError } from '../errors.ts';
import { readProjectFile } from '../project/files.ts';
import { withoutCredentials } from './credentials.ts';
import { linesOfLock, linesOfPipfileLock, linesOfProject } from './locks.ts';
import { type Requirements, readRequirements, requirementsOfLines } from './requirements.ts';
import { isLeftover } from './tree.ts';
import { uv } from './uv.ts';

/** Where a function or layer says what it depends on. */

/** Files that count, in this order, where there is no requirements.txt; `sam build` reads none of them. */
export const LOCKS = ['uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile.lock'];
/** For BuildMethod python-uv (AWS SAM Developer Guide, "Building Python Lambda functions with uv"). */
export const OF_UV = ['uv.lock', 'pyproject.toml'];
export const REQUIREMENTS = 'requirements.txt';

const MAX_LOCK_BYTES = 10_000_000;
/** What is in a project's folder, and no part of it. */
const isAside = (name: string) => isLeftover(name) || ['.venv', 'node_modules', '.git'].includes(name);

async function textOf(root: string, file: string): Promise<string> {
  const text = await readProjectFile(root, file, MAX_LOCK_BYTES);
  if (text === undefined) throw new ProjectError(`${file}: no such file`);
  return text;
}

/** `--frozen`: what the file says, without a look at the index. */
const EXPORT = [
  'export',
  '--quiet',
  '--frozen',
  '--no-dev',
  '--no-emit-project',
  '--no-header',
  '--no-annotate',
  '--no-editable',
  '--format=requirements.txt',
];

/**
 * What uv itself makes of its lock, which is not changed: one that does not fit its pyproject.toml is brought up to date in a copy,
 * as `uv sync` does in place, and keeps its pins wherever they still fit.
 * @throws ProjectError with uv's words
 */
async function exported(root: string, file: string): Promise<{ lines: string[]; remarks: string[] }> {
  const folder = join(root, posix.dirname(file));
  const run = async (cwd: string, args: readonly string[]) => {
    const { code, stdout, stderr } = await uv(args, cwd);
    if (code === 0) return stdout;
    const words = withoutCredentials(stderr).replaceAll(cwd, folder).trim().replace(/\s+/g, ' ');
    throw new ProjectError(`${file}: ${words.slice(0, 1000)}`);
  };
  const linesIn = async (cwd: string, ...more: string[]) =>
    (await run(cwd, [...EXPORT, ...more])).split('\n');
  const { code } = await uv(['lock', '--check', '--quiet'], folder);
  if (code === 0) return { lines: await linesIn(folder), remarks: [] };
  const copy = await mkdtemp(join(tmpdir(), 'plimsoll-uv-'));
  try {
    await cp(folder, copy, {
      recursive: true,
      filter: (from) => from === folder || !isAside(basename(from)),
    });
    await run(copy, ['lock', '--quiet']);
    const remark = `${file}: does not fit pyproject.toml; uv has added what is missing. Run: uv lock`;
    // A lock that was just written may lack files of the index; the resolution pins them.
    return { lines: await linesIn(copy, '--no-hashes'), remarks: [remark] };
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

/**
 * What a requirements.txt, a lock or a pyproject.toml asks for.
 * @param file a path in the project
 * @throws ProjectError naming the file, and the line where it has some
 */
export async function readDependencies(root: string, file: string): Promise<Requirements> {
  const beside = (name: string) => posix.join(posix.dirname(file), name);
  const text = () => textOf(root, file);
  switch (posix.basename(file)) {
    case 'uv.lock': {
      const { lines, remarks } = await exported(root, file);
      const found = await requirementsOfLines(root, file, lines);
      return { ...found, remarks: [...remarks, ...found.remarks] };
    }
    case 'poetry.lock':
    case 'pdm.lock': {
      const manifest = beside('pyproject.toml');
      const lines = linesOfLock(await text(), await textOf(root, manifest), { lock: file, manifest });
      return requirementsOfLines(root, file, lines);
    }
    case 'Pipfile.lock':
      return requirementsOfLines(root, file, linesOfPipfileLock(await text(), file));
    case 'pyproject.toml':
      return requirementsOfLines(root, file, linesOfProject(await text(), file));
    default:
      return readRequirements(root, file);
  }
}
