import { readdirSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

const byVersion = new Intl.Collator('en', { numeric: true });

/** Where pyenv keeps the programs of each of its Python versions, the newest first. Empty where there is no pyenv. */
function versionFolders(root: string): string[] {
  const versions = join(root, 'versions');
  try {
    return readdirSync(versions)
      .filter((name) => /^\d+\.\d+/.test(name))
      .sort((a, b) => byVersion.compare(b, a))
      .map((name) => join(versions, name, 'bin'));
  } catch {
    return [];
  }
}

/**
 * A PATH on which the versions of pyenv stand in the place of its shims. A shim runs its program in the version that is
 * active alone, and fails for all others; that goes for uv, too, where pip has installed it. CodeBuild's images have
 * nothing but shims on the PATH (aws/aws-codebuild-docker-images, al/x86_64/standard/5.0/Dockerfile).
 */
export function withoutShims(path: string): string {
  return path
    .split(delimiter)
    .flatMap((folder) => {
      const versions = basename(folder) === 'shims' ? versionFolders(dirname(folder)) : [];
      return versions.length > 0 ? versions : [folder];
    })
    .join(delimiter);
}
