import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';

const answers = (url: string) =>
  fetch(`${url}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );

describe('plimsoll deploy --local', () => {
  it.each([
    ['SIGINT', 'execution arn:'],
    ['SIGTERM', 'Embedded AWS at'],
  ] as const)('ended by %s while it says "%s" leaves nothing running', async (signal, stage) => {
    const state = join(mkdtempSync(join(tmpdir(), 'plimsoll-interrupt-')), 'aws');
    const project = join(ROOT, 'examples', 'item-prediction');
    const child = spawn(
      process.execPath,
      [join(ROOT, 'bin', 'plimsoll.mjs'), 'deploy', '--local', '--state', state, '--project', project],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    const reached = new Promise<void>((resolve) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output += text;
          if (output.includes(stage)) resolve();
        });
      }
    });
    const exited = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
    await Promise.race([reached, exited]);
    const endpoint = /Embedded AWS at (\S+)/.exec(output)?.[1] ?? '';
    expect(await answers(endpoint), output).toBe(true);
    child.kill(signal);
    expect(await exited, output).toBe(130);
    expect(await answers(endpoint)).toBe(false);
    // A clean end: the next start goes on with this state.
    expect(existsSync(join(state, 'running'))).toBe(false);
    expect(output).not.toMatch(/^ +at /m);
  });
});
