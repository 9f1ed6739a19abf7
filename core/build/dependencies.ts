import { join, posix } from 'node:path';
import { ProjectError } from '../errors.ts';
import { readProjectFile } from '../project/files.ts';
import { withoutCredentials } from './credentials.ts';
import { linesOfLock, linesOfPipfileLock, linesOfProject } from './locks.ts';
import { type Requirements, readRequirements, requirementsOfLines } from './requirements.ts';
import { uv } from './uv.ts';

/** Where a function or layer says what it depends on. */

/** Files that count, in this order, where there is no requirements.txt; `sam build` reads none of them. */
export const LOCKS = ['uv.lock', 'poetry.lock', 'pdm.lock', 'Pipfile.lock'];
/** For BuildMethod python-uv (AWS SAM Developer Guide, "Building Python Lambda functions with uv"). */
export const OF_UV = ['uv.lock', 'pyproject.toml'];
export const REQUIREMENTS = 'requirements.txt';

const MAX_LOCK_BYTES = 10_000_000;

async function textOf(root: string, file: string): Promise<string> {
  const text = await readProjectFile(root, file, MAX_LOCK_BYTES);
  if (text === undefined) throw new ProjectError(`${file}: no such file`);
  return text;
}

/** What uv itself makes of its lock, which is not changed. @throws ProjectError with its words */
async function exported(root: string, file: string): Promise<{ lines: string[]; remarks: string[] }> {
  const folder = join(root, posix.dirname(file));
  const run = (how: '--locked' | '--frozen') =>
    uv(
      [
        'export',
        '--quiet',
        how,
        '--no-dev',
        '--no-emit-project',
        '--no-header',
        '--no-annotate',
        '--no-editable',
        '--format=requirements.txt',
      ],
      folder,
    );
  const locked = await run('--locked');
  const { code, stdout, stderr } = locked.code === 0 ? locked : await run('--frozen');
  if (code !== 0)
    throw new ProjectError(
      `${file}: ${withoutCredentials(stderr).trim().replace(/\s+/g, ' ').slice(0, 1000)}`,
    );
  const remarks =
    locked.code === 0
      ? []
      : [`${file}: uv cannot confirm that it fits pyproject.toml; its pins count as they are. Run: uv lock`];
  return { lines: stdout.split('\n'), remarks };
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
