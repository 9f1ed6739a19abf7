import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../local/paths.ts';
import { until } from '../support/aws.ts';
import { BASE, writeProject } from '../support/project.ts';

/** On a machine that is busy with other tests. */
const LONG_MS = 400_000;

const answers = (url: string) =>
  fetch(`${url}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );

interface Running {
  child: ChildProcess;
  output(): string;
  /** Until it says this, or ends. */
  says(text: string): Promise<void>;
  exited: Promise<number | null>;
}

/** The command line, with a mark in its environment that all its processes inherit. */
function run(args: readonly string[], mark = ''): Running {
  const child = spawn(process.execPath, [join(ROOT, 'bin', 'plimsoll.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, AWS_ENDPOINT_URL: undefined, UV_TEST_MARK: mark },
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

/** Processes that carry a mark in their environment; only Linux shows it. */
const marked = (mark: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return (
        readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark) &&
        // A process that has ended and that nobody has waited for yet holds nothing.
        !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'))
      );
    } catch {
      return false;
    }
  });

let project: string;
let state: string;
beforeAll(async () => {
  project = await writeProject(BASE);
  state = join(mkdtempSync(join(tmpdir(), 'plimsoll-interrupt-')), 'aws');
});
afterAll(() => {
  rmSync(project, { recursive: true, force: true });
  rmSync(join(state, '..'), { recursive: true, force: true });
});

describe('plimsoll deploy --local', () => {
  const deploy = (mark?: string, ...more: string[]) =>
    run(['deploy', '--local', '--state', state, '--project', project, '--stack-name', 'cut', ...more], mark);

  it.each([
    ['SIGTERM', 'Embedded AWS at'],
    ['SIGINT', 'Snapshot'],
    ['SIGKILL', 'Snapshot'],
  ] as const)(
    'ended by %s while it says "%s" leaves nothing running, and the next one releases',
    async (signal, stage) => {
      const mark = `plimsoll-test-${signal}-${process.pid}`;
      const cut = deploy(mark);
      await cut.says(stage);
      const endpoint = /Embedded AWS at (\S+)/.exec(cut.output())?.[1] ?? '';
      expect(await answers(endpoint), cut.output()).toBe(true);
      cut.child.kill(signal);
      expect(await cut.exited, cut.output()).toBe(signal === 'SIGKILL' ? null : 130);
      expect(cut.output()).not.toMatch(/^ +at /m);
      await until(
        'the end of all its processes',
        async () => marked(mark).length === 0 || undefined,
        LONG_MS,
      );
      expect(await answers(endpoint)).toBe(false);
      // All was at rest when it ended, unless it was still being set up: the next start goes on with this state.
      if (stage === 'Snapshot') expect(existsSync(join(state, 'running'))).toBe(false);
      const next = deploy();
      expect(await next.exited, next.output()).toBe(0);
      if (stage === 'Snapshot')
        expect(next.output()).toContain('Rolled back cut: its last release was interrupted.');
    },
  );

  it('says who uses the embedded AWS, or waits', async () => {
    const first = deploy();
    await first.says('Embedded AWS at');
    const second = deploy();
    expect(await second.exited).toBe(2);
    expect(second.output()).toContain('uses the embedded AWS in');
    expect(second.output()).not.toMatch(/^ +at /m);
    const third = deploy('', '--when-locked', 'wait');
    expect(await first.exited, first.output()).toBe(0);
    expect(await third.exited, third.output()).toBe(0);
  });

  it('makes state anew that does not fit together', async () => {
    rmSync(join(state, 'state', 'stepfunctions.json'));
    const next = deploy();
    expect(await next.exited, next.output()).toBe(0);
  });
});
