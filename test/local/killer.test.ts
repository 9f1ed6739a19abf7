import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../support/aws.ts';
import { BASE, writeProject } from '../support/project.ts';
import { LONG_MS, marked, type RunningCommand, startCommand } from '../support/running-command.ts';

const SEED = Number(process.env['KILLER_SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = Number(process.env['KILLER_ROUNDS'] ?? 6);

/** Who is ended: the command that a user has started, the process that does its work, or the embedded AWS. */
const VICTIMS = ['command', 'command', 'command', 'worker', 'embedded AWS'] as const;
type Victim = (typeof VICTIMS)[number];
const COMMAND_LINES: Record<Exclude<Victim, 'command'>, string> = {
  worker: 'dist/cli/plimsoll.mjs',
  'embedded AWS': ' -m adapter',
};

const roundArbitrary = fc.noBias(
  fc.record({
    what: fc.constantFrom('build' as const, 'deploy' as const),
    victim: fc.constantFrom(...VICTIMS),
    signal: fc.constantFrom('SIGINT' as const, 'SIGTERM' as const, 'SIGKILL' as const),
    isTwice: fc.boolean(),
    /** As a part of the time that the command takes when it is left alone. */
    moment: fc.nat(999).map((thousandths) => thousandths / 1000),
    next: fc.constantFrom('same', 'same', 'rollback'),
    isClean: fc.boolean(),
  }),
);
type Round = ReturnType<typeof roundArbitrary.generate>['value'];

/** A stack trace of Node or Python. */
const STACK_TRACE = /^ +at .+:\d+:\d+\)?$|^Traceback/m;

/** Whether somebody listens on a port of this machine. */
const isHeld = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

const sha256 = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

/** The archives that a project's build folder holds, with their hashes. */
const archives = (project: string): Map<string, string> => {
  const build = join(project, '.plimsoll', 'build');
  const paths = readdirSync(build, { recursive: true, encoding: 'utf8' });
  return new Map(
    paths.filter((path) => path.endsWith('.zip')).map((path) => [path, sha256(join(build, path))]),
  );
};

let project: string;
/** Where nothing is ever interrupted. */
let reference: string;
let state: string;
/** Of all commands that are started here. */
let temporary: string;
let version = 0;
const usualMs = { build: 0, deploy: 0 };

/** The next version of the project: another answer, which its smoke test asks for. Its handler takes a while. */
function nextVersion(folders: readonly string[]): void {
  version += 1;
  for (const folder of folders) {
    const app = (BASE['functions/hello/app.py'] ?? '')
      .replace('"version": 1', `"version": ${version}`)
      .replace('    name =', '    sum(range(10_000_000))\n    name =');
    writeFileSync(join(folder, 'functions', 'hello', 'app.py'), app);
    writeFileSync(
      join(folder, 'plimsoll.yaml'),
      `smoke: { endpoints: [{ get: /hello, body: { version: ${version} } }] }\n`,
    );
  }
}

const command = (what: string, mark?: string, ...more: string[]) =>
  startCommand(
    what === 'build'
      ? ['build', '--project', project, ...more]
      : [what, '--local', '--state', state, '--project', project, '--stack-name', 'hunted'],
    mark,
    { TMPDIR: temporary },
  );

async function untilDone(running: RunningCommand): Promise<void> {
  expect(await running.exited, running.output()).toBe(0);
  expect(running.output()).not.toMatch(STACK_TRACE);
}

beforeAll(async () => {
  [project, reference] = [await writeProject(BASE), await writeProject(BASE)];
  const folder = mkdtempSync(join(tmpdir(), 'plimsoll-killer-'));
  state = join(folder, 'aws');
  temporary = join(folder, 'tmp');
  mkdirSync(temporary);
  nextVersion([project]);
  for (const what of ['build', 'deploy'] as const) {
    const begin = performance.now();
    await untilDone(command(what));
    usualMs[what] = performance.now() - begin;
  }
});
afterAll(() => {
  for (const folder of [project, reference, join(state, '..')])
    rmSync(folder, { recursive: true, force: true });
});

/** Ends one of a command's processes. */
function end({ victim, signal, isTwice }: Round, running: RunningCommand, mark: string): void {
  if (victim === 'command') {
    running.child.kill(signal);
    if (isTwice && signal === 'SIGINT') running.child.kill(signal);
    return;
  }
  for (const { pid, command: line } of marked(mark)) {
    if (!line.includes(COMMAND_LINES[victim]) || line.includes('bin/plimsoll.mjs')) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself meanwhile.
    }
  }
}

describe(`${ROUNDS} commands that are ended at random moments, seed ${SEED}`, () => {
  const rounds = fc.sample(roundArbitrary, { seed: SEED, numRuns: ROUNDS });
  it.each(rounds.map((round, index) => [index + 1, round] as const))('%i: %o', async (index, round) => {
    const { what } = round;
    nextVersion([project]);
    const mark = `plimsoll-killer-${process.pid}-${index}-`;
    const running = command(what, mark, ...(round.isClean ? ['--clean'] : []));
    await Promise.race([sleep(round.moment * usualMs[what]), running.exited]);
    const port = Number(/Embedded AWS at http:\/\/[^:]+:(\d+)/.exec(running.output())?.[1] ?? 0);
    end(round, running, mark);
    await running.exited;
    expect(running.output()).not.toMatch(STACK_TRACE);
    await until(
      'the end of all its processes',
      async () => marked(mark).length === 0 || undefined,
      LONG_MS,
    ).catch((error: unknown) => {
      throw new Error(JSON.stringify(marked(mark), null, 2), { cause: error });
    });
    if (port > 0) expect(await isHeld(port)).toBe(false);

    if (what === 'deploy' && round.next === 'rollback') {
      const back = command('rollback');
      const code = await back.exited;
      expect(back.output()).not.toMatch(STACK_TRACE);
      // There may be nothing to roll back to, and then that is what it says.
      if (code !== 0) expect(back.output()).toMatch(/^plimsoll: InvalidInputError: .*nothing|no release/m);
      nextVersion([project]);
    }
    await untilDone(command(what));
    // What the killed one has left is removed by the next one.
    expect(readdirSync(temporary)).toEqual([]);
    if (what === 'build') await isAsIfNothingHadHappened();
  });
});

/** Compares what was built with what a build makes of the same sources that nobody has interrupted. */
async function isAsIfNothingHadHappened(): Promise<void> {
  rmSync(join(reference, '.plimsoll'), { recursive: true, force: true });
  for (const file of ['functions/hello/app.py', 'plimsoll.yaml'])
    writeFileSync(join(reference, file), readFileSync(join(project, file)));
  await untilDone(startCommand(['build', '--project', reference]));
  const built = archives(project);
  const expected = archives(reference);
  expect(expected.size).toBe(2);
  for (const [path, hash] of expected) expect([path, built.get(path)]).toEqual([path, hash]);
}
