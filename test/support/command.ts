import { type ExecFileException, execFile } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from '../../local/paths.ts';

export interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs the bundled command line in a project, where no AWS can be reached. */
export function plimsollIn(project: string, command: string, ...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const done = (error: ExecFileException | null, stdout: string, stderr: string) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, stdout, stderr });
    const env = { ...process.env, AWS_ENDPOINT_URL: 'http://127.0.0.1:9', NO_COLOR: '1' };
    const program = join(ROOT, 'bin', 'plimsoll.mjs');
    execFile(process.execPath, [program, command, ...args, '--project', project], { env }, done);
  });
}
