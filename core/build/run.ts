import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { killMarked, MARK } from '../left-behind.mjs';

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

/** The end of a text that comes in pieces. */
class Tail {
  private pieces: string[] = [];
  private length = 0;

  push(piece: string): void {
    this.pieces.push(piece);
    this.length += piece.length;
    // Shortened seldom: what is moved each time is paid for by what has come since.
    if (this.length > 2 * MAX_OUTPUT) {
      const text = this.text;
      this.pieces = [text];
      this.length = text.length;
    }
  }

  get text(): string {
    return this.pieces.join('').slice(-MAX_OUTPUT);
  }
}

/** Gives each line on as it is whole; of one that is too long, its beginning. */
class Lines {
  private pieces: string[] = [];
  private length = 0;

  constructor(private readonly onLine: (line: string) => void) {}

  push(text: string): void {
    const [first = '', ...others] = text.split('\n');
    this.add(first);
    for (const next of others) {
      this.onLine(this.pieces.join(''));
      this.pieces = [];
      this.length = 0;
      this.add(next);
    }
  }

  private add(piece: string): void {
    if (this.length > MAX_OUTPUT) return;
    this.pieces.push(piece);
    this.length += piece.length;
  }
}

/** The mark of the command, and of this program alone below it. */
const markOfRun = () => `${process.env[MARK] ?? randomUUID()}/${randomUUID()}`;

/**
 * Runs a program without a shell, so that no argument is ever interpreted. What it has started, and left behind, ends with it.
 * @throws Error of the operating system when the program cannot be started (ENOENT: it is not there)
 */
export function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const mark = markOfRun();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...options.env, [MARK]: mark },
      stdio: 'pipe',
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
    });
    const stdout = new Tail();
    const stderr = new Tail();
    const { onLine } = options;
    const kill = () => child.kill('SIGKILL');
    const lines = onLine && new Lines((line) => onLine(line, kill));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout.push(text);
      lines?.push(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
    child.on('error', reject);
    child.on('exit', () => {
      killMarked(mark);
      // Where that finds nothing, it may hold the output open for ever.
      setTimeout(() => {
        child.stdout.destroy();
        child.stderr.destroy();
      }, LEFT_BEHIND_MS).unref();
    });
    child.on('close', (code, signal) => resolve({ code, signal, stdout: stdout.text, stderr: stderr.text }));
    // A program that ends before it has read its input is judged by its exit code, not by the broken pipe.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
