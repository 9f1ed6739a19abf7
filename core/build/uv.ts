import { chmodSync, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InstallError, ToolMissingError } from '../errors.ts';
import type { Architecture } from '../project/template.ts';
import { systemErrorIn } from '../system-errors.mjs';
import { ownEnvironment } from './indexes.ts';
import { withoutShims } from './pyenv.ts';
import { type RunResult, run } from './run.ts';
import { script } from './scripts.ts';

const TIMEOUT_MS = 10 * 60_000;

/** The glibc of Lambda's operating systems, 26 of 2.26: Amazon Linux 2 up to Python 3.11, Amazon Linux 2023 from 3.12 on. */
export const glibcOf = (python: string): number => (Number(python.split('.')[1]) >= 12 ? 34 : 26);

/** Lambda's platforms as uv names them; of Amazon Linux 2 it knows no nearer one. */
export function uvPlatform(python: string, architecture: Architecture): string {
  const machine = architecture === 'arm64' ? 'aarch64' : 'x86_64';
  return `${machine}-manylinux_${glibcOf(python) >= 34 ? '2_34' : '2_17'}`;
}

/**
 * The uv that the bundle of builds brings for its machine, or the one on the PATH. Archives need not keep the mode of a
 * file, so it is made executable here.
 */
function program(): string {
  const bundled = fileURLToPath(new URL(`./uv/${process.platform}-${process.arch}/uv`, import.meta.url));
  if (!existsSync(bundled)) return 'uv';
  if ((statSync(bundled).mode & 0o111) === 0) chmodSync(bundled, 0o755);
  return bundled;
}

/**
 * Runs uv, which finds the index settings of the user, and of the project, in the environment and never reads the project's folder.
 * @throws ToolMissingError; Error of the operating system where uv could not write or read a file
 */
export async function uv(
  args: readonly string[],
  cwd: string,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<RunResult> {
  // The input of a release may hold secrets; packages that are built from source run code of theirs.
  const { RELEASE: _, ...rest } = environment;
  let result: RunResult;
  try {
    result = await run(program(), args, {
      cwd,
      env: {
        ...rest,
        PATH: withoutShims(rest['PATH'] ?? ''),
        UV_NO_PROGRESS: '1',
        NO_COLOR: '1',
      },
      timeoutMs: TIMEOUT_MS,
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new ToolMissingError('uv is not on the PATH; install it: python3 -m pip install uv');
  }
  const machine = result.code === 0 ? undefined : systemErrorIn(result.stderr);
  if (machine) throw machine;
  return result;
}

/** What SAM's own tools run on: aws-sam-cli asks for Python 3.10 or newer. */
export const TOOLS_PYTHON = '>=3.10,<3.15';

/**
 * The interpreter of one Python minor version, an absolute path. Where the machine has none, uv may fetch one.
 * @throws ToolMissingError naming the version
 */
export async function findPython(version: string, cwd: string): Promise<string> {
  const find = () => uv(['python', 'find', '--no-project', '--no-python-downloads', version], cwd);
  let found = await find();
  if (found.code !== 0) {
    await uv(['python', 'install', version], cwd);
    found = await find();
  }
  if (found.code === 0) return found.stdout.trim();
  throw new ToolMissingError(
    `no Python ${version} on this machine, and uv could not fetch one\n  Install it, for example: uv python install ${version}`,
  );
}

/**
 * Installs a tool that builds need, in the versions and with the hashes that stand beside our scripts. Once a folder.
 * @param folder where its packages go, of one build
 * @throws InstallError
 */
export async function installTool(
  name: string,
  requirements: string,
  interpreter: string,
  folder: string,
): Promise<void> {
  if (existsSync(folder)) return;
  const { code, stderr } = await uv(
    [
      'pip',
      'install',
      '--quiet',
      '--require-hashes',
      '--only-binary=:all:',
      `--python=${interpreter}`,
      '--target',
      folder,
      '-r',
      script(requirements),
    ],
    dirname(folder),
    ownEnvironment(),
  );
  if (code !== 0) throw new InstallError(`cannot install ${name}: ${stderr.trim().slice(0, 2000)}`);
}

/**
 * Looks for the interpreters that a project needs, before anything else is done.
 * @throws ToolMissingError naming each version that is missing, whom it is for, and the command that brings it
 */
export async function requirePythons(
  users: readonly { python: string; logicalId: string }[],
  cwd: string,
): Promise<void> {
  const missing: string[] = [];
  for (const version of new Set(users.map(({ python }) => python))) {
    try {
      await findPython(version, cwd);
    } catch (error) {
      if (!(error instanceof ToolMissingError)) throw error;
      missing.push(version);
    }
  }
  if (missing.length === 0) return;
  const list = missing.map((version) => {
    const names = users.filter(({ python }) => python === version).map(({ logicalId }) => logicalId);
    return `no Python ${version} (${names.join(', ')})`;
  });
  throw new ToolMissingError(
    `this machine has ${list.join(', ')}, and uv could not fetch it\n  Install it: uv python install ${missing.join(' ')}`,
  );
}
