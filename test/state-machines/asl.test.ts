import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import validate from 'asl-validator';
import { describe, expect, it } from 'vitest';
import * as errors from '../../core/errors.ts';
import { BUILD_QUEUE_SECONDS, BUILD_SECONDS, DEPLOY_SECONDS } from '../../core/release/limits.ts';
import { handlerFiles } from '../../infra/paths.ts';
import { ROOT } from '../../local/paths.ts';

interface Rule {
  ErrorEquals: string[];
  Next?: string;
  MaxAttempts?: number;
  JitterStrategy?: string;
}

interface State {
  Type: string;
  Next?: string;
  End?: boolean;
  Default?: string;
  Choices?: { Next: string }[];
  Resource?: string;
  TimeoutSeconds?: number;
  Arguments?: { FunctionName?: string; ProjectName?: string; TopicArn?: string };
  Retry?: Rule[];
  Catch?: Rule[];
  ItemProcessor?: Machine;
  Comment?: string;
}

interface Machine {
  StartAt: string;
  States: Record<string, State>;
}

const folder = join(ROOT, 'state-machines');
const files = readdirSync(folder).filter((name) => name.endsWith('.asl.json'));
const pascal = (file: string) =>
  file
    .split('-')
    .map((word) => `${word[0]?.toUpperCase()}${word.slice(1)}`)
    .join('');

/** Every machine in a file: the outer one and those of its Maps. */
function machines(machine: Machine): Machine[] {
  return [
    machine,
    ...Object.values(machine.States).flatMap(({ ItemProcessor }) =>
      ItemProcessor ? machines(ItemProcessor) : [],
    ),
  ];
}

const following = (state: State): string[] =>
  [
    state.Next,
    state.Default,
    ...(state.Choices ?? []).map(({ Next }) => Next),
    ...(state.Catch ?? []).map(({ Next }) => Next),
  ].filter((name) => name !== undefined);

function reachable({ StartAt, States }: Machine): Set<string> {
  const seen = new Set<string>();
  const visit = (name: string): void => {
    const state = States[name];
    if (!state || seen.has(name)) return;
    seen.add(name);
    for (const next of following(state)) visit(next);
  };
  visit(StartAt);
  return seen;
}

describe.each(files)('%s', (file) => {
  const machine = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Machine & { QueryLanguage: string };
  const all = machines(machine);
  const states = all.flatMap(({ States }) => Object.entries(States));
  const tasks = states.filter(([, { Type }]) => Type === 'Task');

  it('is valid Amazon States Language', () => {
    const { isValid, errorsText } = validate(machine, { checkArn: false, checkPaths: false });
    expect(isValid, errorsText('\n')).toBe(true);
    expect(machine.QueryLanguage).toBe('JSONata');
  });

  it('names only states that exist, and reaches all of them', () => {
    for (const one of all) {
      const known = new Set(Object.keys(one.States));
      for (const [name, state] of Object.entries(one.States)) {
        for (const next of following(state)) expect(known.has(next), `${name} -> ${next}`).toBe(true);
      }
      expect(reachable(one)).toEqual(known);
    }
  });

  it('limits each task in time, and retries it a bounded number of times, with jitter', () => {
    for (const [name, { TimeoutSeconds, Retry }] of tasks) {
      expect(TimeoutSeconds, name).toBeGreaterThan(0);
      expect(Retry, name).not.toBeUndefined();
      for (const rule of Retry ?? []) {
        expect(rule.MaxAttempts, name).toBeGreaterThan(0);
        expect(rule.MaxAttempts, name).toBeLessThanOrEqual(90);
        expect(rule.JitterStrategy, name).toBe('FULL');
      }
    }
  });

  it('catches every error of every task of the outer machine', () => {
    const outer = Object.entries(machine.States).filter(([, { Type }]) => Type === 'Task' || Type === 'Map');
    for (const [name, { Catch = [] }] of outer)
      expect(
        Catch.flatMap(({ ErrorEquals }) => ErrorEquals),
        name,
      ).toContain('States.ALL');
  });

  it('retries and catches only errors that exist: ours, those of Step Functions, and throttles of AWS', () => {
    const named = states.flatMap(([, { Retry = [], Catch = [] }]) =>
      [...Retry, ...Catch].flatMap(({ ErrorEquals }) => ErrorEquals),
    );
    const ours = named.filter((name) => name.endsWith('Error'));
    expect(ours.length).toBeGreaterThan(0);
    for (const name of ours) expect(errors).toHaveProperty(name);
  });

  it('calls handlers by the names of their files', () => {
    const called = tasks.flatMap(([, { Arguments }]) =>
      Arguments?.FunctionName ? [Arguments.FunctionName.replace(/^\$\{|\}$/g, '')] : [],
    );
    const known = handlerFiles().map(pascal);
    for (const name of called) expect(known).toContain(name);
  });

  it('never retries an error of ours but the one that says to wait', () => {
    const retried = states
      .flatMap(([, { Retry = [] }]) => Retry.flatMap(({ ErrorEquals }) => ErrorEquals))
      .filter((name) => name.endsWith('Error'));
    expect([...new Set(retried)]).toEqual(['StackBusyError']);
  });
});

it('builds have the time to wait in the queue and to run, within that of the release', () => {
  const deploy = JSON.parse(readFileSync(join(folder, 'deploy.asl.json'), 'utf8')) as Machine;
  const builds = machines(deploy).flatMap(({ States }) =>
    Object.values(States).filter(({ Resource }) => Resource?.endsWith(':codebuild:startBuild.sync')),
  );
  expect(builds.length).toBeGreaterThan(0);
  for (const { TimeoutSeconds = 0 } of builds) {
    expect(TimeoutSeconds).toBeGreaterThan(BUILD_QUEUE_SECONDS + BUILD_SECONDS);
    expect(TimeoutSeconds).toBeLessThan(DEPLOY_SECONDS);
  }
});

it('every handler is called by some state machine', () => {
  const text = files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  for (const name of handlerFiles().map(pascal)) expect(text).toContain(`"\${${name}}"`);
});
