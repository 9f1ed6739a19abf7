import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import validate from 'asl-validator';
import { describe, expect, it } from 'vitest';
import * as errors from '../../core/errors.ts';
import { BUILD_QUEUE_SECONDS, BUILD_SECONDS, DEPLOY_SECONDS } from '../../core/release/limits.ts';
import { handlerFiles } from '../../infra/paths.ts';
import { ROOT } from '../../local/paths.ts';

const require = createRequire(import.meta.url);

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

/** Classes of the SDK whose server is at fault, and that another attempt does not help: the function itself cannot run. */
const BROKEN_FUNCTION = /^(EC2|ENI|KMS|Invalid|SubnetIP|ResourceNotReady)/;

/** Names of the errors that pass by themselves: of each client that handlers use, and those that any service may answer with. */
function transientErrors(): Set<string> {
  const sources = readdirSync(join(ROOT, 'handlers'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => readFileSync(join(ROOT, 'handlers', name), 'utf8'));
  const clients = new Set(
    sources.flatMap((text) =>
      [...text.matchAll(/from '(@aws-sdk\/client-[\w-]+)'/g)].map(([, name = '']) => name),
    ),
  );
  const found = new Set([
    'Throttling',
    'SlowDown',
    'InternalError',
    'InternalFailure',
    'ServiceUnavailable',
    'TimeoutError',
  ]);
  for (const client of clients)
    for (const Named of Object.values(require(client) as Record<string, unknown>)) {
      if (typeof Named !== 'function' || !(Named.prototype instanceof Error)) continue;
      const error = new (Named as new (of: object) => Error & { $fault?: string })({
        message: '',
        $metadata: {},
      });
      const throttles =
        /^(Throttling|TooManyRequests|ProvisionedThroughputExceeded)Exception$|^RequestLimitExceeded$/;
      const passes = error.$fault === 'server' || throttles.test(error.name);
      if (passes && !BROKEN_FUNCTION.test(error.name)) found.add(error.name);
    }
  return found;
}

const transient = transientErrors();

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
    const ours = named.filter((name) => name.endsWith('Error') && !transient.has(name));
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

  it('calls a handler again after every error of AWS that passes by itself', () => {
    expect([...transient]).toEqual(
      expect.arrayContaining(['ServiceException', 'InternalServerError', 'ThrottlingException']),
    );
    for (const [name, { Resource, Retry = [] }] of tasks) {
      if (!Resource?.endsWith(':lambda:invoke')) continue;
      const retried = Retry.flatMap(({ ErrorEquals }) => ErrorEquals);
      expect(
        [...transient].filter((error) => !retried.includes(error)),
        name,
      ).toEqual([]);
    }
  });

  it('never retries an error of ours but the one that says to wait', () => {
    const retried = states
      .flatMap(([, { Retry = [] }]) => Retry.flatMap(({ ErrorEquals }) => ErrorEquals))
      .filter((name) => name.endsWith('Error') && !transient.has(name));
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
