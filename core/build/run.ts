import { spawn } from 'node:child_process';

export interface RunOptions {
  cwd: string;
  /** The whole environment of the program; nothing is inherited. */
  env: NodeJS.ProcessEnv;
  /** Written to the program's standard input, which is then closed. */
  input?: string;
  timeoutMs: number;
  /** Given each line of standard output as it comes, and what ends the program. */
  onLine?: (line: string, kill: () => void) => void;
}

export interface RunResult {
  /** null where a signal ended the program. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Of each stream so much is kept, from its end, in characters: a runaway program must not fill the memory. */
const MAX_OUTPUT = 32 * 1024 * 1024;

/** So long the output of a program is waited for after its end. */
const LEFT_BEHIND_MS = 2000;

const tail = (text: string) => (text.length > MAX_OUTPUT ? text.slice(-MAX_OUTPUT) : text);

/**
 * Runs a program without a shell, so that no argument is ever interpreted.
 * @throws Error of the operating system when the program cannot be started (ENOENT: it is not there)
 */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      stdio: 'pipe',
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    let rest = '';
    const kill = () => child.kill('SIGKILL');
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout = tail(stdout + text);
      if (!options.onLine) return;
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) options.onLine(line, kill);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = tail(stderr + text);
    });
    child.on('error', reject);
    // What the program has started, and left behind, may hold its output open for ever.
    child.on('exit', () => {
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, LEFT_BEHIND_MS).unref();
    });
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr }));
    // A program that ends before it has read its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
