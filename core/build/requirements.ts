import { ProjectError } from '../errors.ts';
import { readProjectFile } from '../project/files.ts';
import { pathInProject } from '../project/path.ts';

const MAX_REQUIREMENTS_BYTES = 200_000;
const MAX_INCLUDES = 20;

/** PEP 508: a name, extras, versions, a marker. Direct references (`name @ url`) are refused: they have no hash. */
const REQUIREMENT = /^[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[\w\s,.-]*\])?\s*([<>=!~][^;@]*|\([^;@]*\))?(;.*)?$/;

/** A requirement, and the hashes that its file must have: `six==1.16.0 --hash=sha256:…` (pip, "Hash-checking mode"). */
export function splitHashes(line: string): { requirement: string; hashes: string[] } {
  const hashes = [...line.matchAll(/\s--hash=(\S+)/g)].map(([, hash = '']) => hash);
  const requirement = line
    .replace(/\s--hash=\S+/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  return { requirement, hashes };
}

/**
 * Reads a requirements file and the files it includes with -r, all inside the project.
 * @param file path relative to the project
 * @returns one requirement a line with the hashes that it names, without comments
 * @throws ProjectError naming file and line for options, URLs, paths and anything else that is no plain requirement
 */
export async function readRequirements(
  root: string,
  file: string,
  seen: readonly string[] = [],
): Promise<string[]> {
  if (seen.includes(file) || seen.length > MAX_INCLUDES) throw new ProjectError(`${file}: includes itself`);
  const text = await readProjectFile(root, file, MAX_REQUIREMENTS_BYTES);
  if (text === undefined) throw new ProjectError(`${file}: no such file`);
  const lines = text.replace(/\\\r?\n/g, ' ').split(/\r?\n/);
  const result: string[] = [];
  for (const [index, raw] of lines.entries()) {
    const { requirement: line, hashes } = splitHashes(raw.replace(/(^|\s)#.*$/, ''));
    if (line === '') continue;
    const include = /^(?:-r|--requirement)[\s=]+(\S+)$/.exec(line)?.[1];
    if (include) {
      const target = pathInProject(file, include);
      if (target === undefined)
        throw new ProjectError(`${file}:${index + 1}: -r ${include} is outside the project`);
      result.push(...(await readRequirements(root, target, [...seen, file])));
    } else if (REQUIREMENT.test(line))
      result.push([line, ...hashes.map((hash) => `--hash=${hash}`)].join(' '));
    else {
      throw new ProjectError(
        `${file}:${index + 1}: "${line}" is not a plain requirement; write name==version (no options, URLs or paths: they cannot be pinned by hash)`,
      );
    }
  }
  return result;
}
