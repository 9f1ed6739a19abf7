import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { until } from './aws.ts';

/** For what a command does on a machine that is busy with other tests. */
export const LONG_MS = 400_000;

export interface RunningCommand {
  child: ChildProcess;
  output(): string;
  /** Until it says this. Fails where it ends before. */
  says(text: string): Promise<void>;
  /** Its exit code; null where a signal ended it. */
  exited: Promise<number | null>;
}

/**
 * Starts `plimsoll` as a shell does.
 * @param mark stands in the environment of all processes that come of it; see {@link marked}
 * @param env more of its environment
 */
export function startCommand(
  args: readonly string[],
  mark = '',
  env: NodeJS.ProcessEnv = {},
): RunningCommand {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'plimsoll.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, AWS_ENDPOINT_URL: undefined, UV_TEST_MARK: mark, ...env },
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
  const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  let isOver = false;
  void exited.then(() => {
    isOver = true;
  });
  const says = async (wanted: string) => {
    await until(`"${wanted}"`, async () => text.includes(wanted) || isOver || undefined, LONG_MS);
    expect(text).toContain(wanted);
  };
  return { child, output: () => text, says, exited };
}

export interface MarkedProcess {
  pid: number;
  /** Its program and arguments. */
  command: string;
}

/** Processes that run, and carry a mark in their environment. Only Linux shows it. */
export const marked = (mark: string): MarkedProcess[] =>
  readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      if (!readFileSync(`/proc/${name}/environ`, 'latin1').includes(mark)) return [];
      // A process that has ended and that nobody has waited for yet holds nothing.
      if (/^State:\s+Z/m.test(readFileSync(`/proc/${name}/status`, 'latin1'))) return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      return [{ pid: Number(name), command }];
    } catch {
      return [];
    }
  });

/** Whether an embedded AWS answers there. */
export const answers = (url: string): Promise<boolean> =>
  fetch(`${url}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );
