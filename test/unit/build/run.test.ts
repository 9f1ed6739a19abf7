import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { run } from '../../../core/build/run.ts';
import { killMarked, MARK, marked } from '../../../core/left-behind.mjs';
import { until } from '../../support/until.ts';

const node = (source: string, onLine?: (line: string) => void) =>
  run(process.execPath, ['-e', source], {
    cwd: tmpdir(),
    env: {},
    timeoutMs: 60_000,
    ...(onLine ? { onLine } : {}),
  });

/** Source that starts a sleeper in a session of its own and prints its id. */
const SLEEPER = `
const { spawn } = require('node:child_process');
const child = spawn('sleep', ['300'], { detached: true, stdio: 'ignore' });
child.unref();
console.log(child.pid);
`;
const isThere = (pid: string) => existsSync(`/proc/${pid}`);

describe.runIf(existsSync('/proc/self/environ'))('what a program leaves behind', () => {
  it('ends with it, in a session of its own, too', async () => {
    const { stdout, code } = await node(SLEEPER);
    expect(code).toBe(0);
    expect(stdout.trim()).toMatch(/^\d+$/);
    await until('its end', async () => !isThere(stdout.trim()) || undefined);
  });

  it('is found by the mark of the command that started it all, and by no other', async () => {
    const mark = randomUUID();
    const { spawn } = await import('node:child_process');
    const child = spawn('sleep', ['300'], {
      env: { [MARK]: `${mark}/one` },
      detached: true,
      stdio: 'ignore',
    });
    await until('it', async () => marked(mark)[0]);
    expect(marked(mark)).toEqual([child.pid]);
    expect(marked(mark.slice(0, -1))).toEqual([]);
    expect(marked(`${mark}/o`)).toEqual([]);
    const ended = new Promise((resolve) => child.on('exit', (_code, signal) => resolve(signal)));
    killMarked(mark);
    expect(await ended).toBe('SIGKILL');
  });
});

describe('the output of a program', () => {
  it('is kept from its end, and given on line by line, however much of it comes without an end of line', async () => {
    const seen: string[] = [];
    const source = `
      process.stdout.write('first\\nse');
      process.stdout.write('cond\\n');
      const part = 'x'.repeat(1024 * 1024);
      for (let at = 0; at < 100; at += 1) process.stdout.write(part);
      process.stdout.write('\\nlast\\n');`;
    const { stdout } = await node(source, (line) => seen.push(line.slice(0, 10)));
    expect(seen).toEqual(['first', 'second', 'xxxxxxxxxx', 'last']);
    expect(stdout.length).toBeLessThanOrEqual(32 * 1024 * 1024);
    expect(stdout.endsWith('x\nlast\n')).toBe(true);
  });
});
