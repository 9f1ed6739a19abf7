import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PYTHON, UV } from '../../local/paths.ts';

/** As amazonlinux-x86_64-standard:5.0 has them: its Dockerfile, aws/aws-codebuild-docker-images at 1590e48. */
const VERSIONS = ['3.14.3', '3.13.12', '3.12.13', '3.11.15', '3.10.20', '3.9.25'];

const minorOf = (version: string) => version.split('.').slice(0, 2).join('.');

function program(path: string, text: string): void {
  writeFileSync(path, `#!/bin/sh\n${text}`);
  chmodSync(path, 0o755);
}

/** What pyenv's shims do: run the program of the version that PYENV_VERSION or `pyenv global` names, a prefix is enough. */
const shim = (root: string) => `name="\${0##*/}"
read -r global < '${root}/version'
for folder in '${root}'/versions/"\${PYENV_VERSION:-$global}"*/bin; do
  [ ! -x "$folder/$name" ] || exec "$folder/$name" "$@"
done
echo "pyenv: $name: command not found
The \\\`$name' command exists in these Python versions:" >&2
for folder in '${root}'/versions/*/bin; do
  [ ! -x "$folder/$name" ] || echo "  $folder" >&2
done
exit 127
`;

/** The Python that this checkout runs on, since it is on every machine: its minor version, and where it is. */
const [HERE = '', INTERPRETER = ''] = spawnSync(
  PYTHON,
  [
    '-c',
    'import os, sys; print("%d.%d" % sys.version_info[:2]); print(os.path.realpath(sys._base_executable))',
  ],
  { encoding: 'utf8' },
).stdout.split('\n');

export { HERE };

/**
 * Python as CodeBuild's image has it, in a folder: a version each below versions/, of which one is global; shims alone on
 * the PATH; uv installed with the pip of the global version. Real is the interpreter of HERE, the others start nothing.
 * @returns the environment of a build, and the folder of the real interpreter
 */
export function imageLayout(folder: string, global: string): { environment: NodeJS.ProcessEnv; bin: string } {
  const root = join(folder, '.pyenv');
  const shims = join(root, 'shims');
  mkdirSync(shims, { recursive: true });
  writeFileSync(join(root, 'version'), `${global}\n`);
  for (const version of VERSIONS) {
    const bin = join(root, 'versions', version, 'bin');
    mkdirSync(bin, { recursive: true });
    for (const name of ['python', 'python3', `python${minorOf(version)}`]) {
      if (minorOf(version) === HERE) symlinkSync(INTERPRETER, join(bin, name));
      else program(join(bin, name), 'exit 1\n');
      program(join(shims, name), shim(root));
    }
  }
  symlinkSync(UV, join(root, 'versions', global, 'bin', 'uv'));
  program(join(shims, 'uv'), shim(root));
  const here = VERSIONS.find((version) => minorOf(version) === HERE);
  if (here === undefined) throw new Error(`the image has no Python ${HERE}`);
  return {
    environment: {
      PATH: shims,
      HOME: folder,
      UV_PYTHON_INSTALL_DIR: join(folder, 'managed'),
      UV_PYTHON_DOWNLOADS: 'never',
      UV_CACHE_DIR: join(folder, 'cache'),
    },
    bin: join(root, 'versions', here, 'bin'),
  };
}
