import { type ExecFileException, execFile } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../local/paths.ts';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function run(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Ended> {
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    const options = { env: { ...process.env, NO_COLOR: '1', ...env }, maxBuffer: 1e8 };
    execFile(process.execPath, [join(ROOT, 'bin', 'plimsoll.mjs'), ...args], options, done);
  });
}

/** The command line as a user has it, against the AWS of the environment. */
export const plimsoll = (...args: string[]): Promise<Ended> => run(args, {});

/** The command line with other variables in its environment. */
export const plimsollWith = (env: NodeJS.ProcessEnv, ...args: string[]): Promise<Ended> => run(args, env);

/** The command line in a project, where no AWS can be reached. */
export const plimsollIn = (project: string, command: string, ...args: string[]): Promise<Ended> =>
  run([command, ...args, '--project', project], { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' });
