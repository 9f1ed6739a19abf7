import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../local/paths.ts';
import type { Ended } from './command.ts';

/** Runs a program among mounts of its own, which are gone when it has ended; a user who is not root becomes one there. */
const unshare = (...command: string[]) => {
  const asRoot = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return ['unshare', ...asRoot, '--mount', ...command] as const;
};

function run([program, ...args]: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}): Ended {
  const { status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', ...env },
  });
  return { code: status ?? -1, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Why this machine cannot test what needs a mount, or undefined where it can. */
export function whyNoMounts(): string | undefined {
  const { code, stderr } = run(unshare('mount', '-t', 'tmpfs', 'tmpfs', '/mnt'));
  return code === 0 ? undefined : `this machine mounts nothing: ${stderr.trim() || 'no unshare'}`;
}

/**
 * The command line as a user has it, on a file system of its own that is prepared by a script.
 * @param script of sh: $1 is the folder to mount on, and what follows its other parameters
 */
export function plimsollOnMount(
  script: string,
  parameters: readonly string[],
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Ended {
  const command = [process.execPath, join(ROOT, 'bin', 'plimsoll.mjs'), ...args];
  const shift = `set -e; ${script}; shift ${parameters.length}; exec "$@"`;
  return run(unshare('sh', '-c', shift, 'sh', ...parameters, ...command), env);
}
