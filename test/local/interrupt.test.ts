import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/aws.ts';
import { BASE, writeProject } from '../support/project.ts';
import { answers, LONG_MS, marked, startCommand } from '../support/running-command.ts';

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
  const run = (command: string, mark?: string, ...more: string[]) =>
    startCommand(
      [command, '--local', '--state', state, '--project', project, '--stack-name', 'cut', ...more],
      mark,
    );
  const deploy = (mark?: string, ...more: string[]) => run('deploy', mark, ...more);

  it.each([
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
      // All was at rest when it ended: the next start goes on with this state.
      expect(existsSync(join(state, 'running'))).toBe(false);
      const next = deploy();
      expect(await next.exited, next.output()).toBe(0);
      expect(next.output()).toContain('Rolled back cut: its last release was interrupted.');
    },
  );

  it('is undone by rollback --local, too, when it was killed', async () => {
    const cut = deploy();
    await cut.says('Snapshot');
    cut.child.kill('SIGKILL');
    await cut.exited;
    const back = run('rollback');
    expect(await back.exited, back.output()).toBe(0);
    expect(back.output()).toContain('cut is as it was before that release.');
  });

  it('says who uses the embedded AWS, or waits; and is undone by rollback --local', async () => {
    const first = deploy();
    await first.says('Embedded AWS at');
    const second = deploy();
    expect(await second.exited).toBe(2);
    expect(second.output()).toContain('uses the embedded AWS in');
    expect(second.output()).not.toMatch(/^ +at /m);
    const third = deploy('', '--when-locked', 'wait');
    expect(await first.exited, first.output()).toBe(0);
    expect(await third.exited, third.output()).toBe(0);
    const ids = [first, third].map((one) => /Released (\S+)/.exec(one.output())?.[1] ?? '');
    const back = run('rollback');
    expect(await back.exited, back.output()).toBe(0);
    expect(back.output()).toContain(`from ${ids[1]} back to ${ids[0]}`);
  });

  it('makes state anew that does not fit together', async () => {
    rmSync(join(state, 'state', 'stepfunctions.json'));
    const next = deploy();
    expect(await next.exited, next.output()).toBe(0);
  });
});
