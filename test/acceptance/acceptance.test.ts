import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import '../support/tools.ts';

interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
  ms: number;
}

/** @param onOutput is given what the command has said until now, and the command */
function acceptance(
  args: string[],
  onOutput: (text: string, end: () => void) => void = () => {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(
      process.execPath,
      [join(ROOT, 'bin', 'plimsoll.mjs'), 'acceptance', '--local', ...args],
      {
        env: { ...process.env, NO_COLOR: '1' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const)
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text;
        onOutput(said.stdout, () => child.kill('SIGINT'));
      });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...said, ms: performance.now() - begin }));
  });
}

interface Report {
  isPassed: boolean;
  left: unknown[];
  results: { step: string; verdict: string; found: string }[];
}

describe('plimsoll acceptance --local', () => {
  it('installs, releases, sees a broken version rolled back, and leaves nothing', async () => {
    const { code, stdout, stderr, ms } = await acceptance(['--json']);
    expect(stderr).toBe('');
    const { results, left, isPassed } = JSON.parse(stdout) as Report;
    console.log(`${Math.round(ms / 1000)} s`);
    expect(results.map(({ step, verdict }) => `${step}: ${verdict}`)).toEqual([
      'Install the pipeline: passed',
      'Subscribe to the topic: passed',
      'Release the example: passed',
      'The example answers: passed',
      'Alarms of its functions: passed',
      'An alarm reaches the topic: passed',
      'Release a broken version: passed',
      'What ran before answers again: passed',
      'Both releases were told of: passed',
      expect.stringMatching(/^Nightly rule: (skipped|passed)$/),
      'Remove everything: passed',
      'Nothing is left: passed',
    ]);
    expect(left).toEqual([]);
    expect(isPassed).toBe(true);
    expect(code).toBe(0);
  });

  it('removes everything after Ctrl-C in the midst of a release, too', async () => {
    let wasSent = false;
    const { code, stdout, stderr } = await acceptance([], (text, end) => {
      if (wasSent || !/Check prerequisites/.test(text)) return;
      wasSent = true;
      end();
    });
    expect(wasSent).toBe(true);
    expect(stderr).toContain('Interrupted. Everything is removed now');
    expect(stdout, stderr).toMatch(/Remove everything +passed .*2 buckets, 1 tables/);
    expect(stdout).toMatch(/Nothing is left +passed/);
    expect(code).toBe(130);
  });
});
