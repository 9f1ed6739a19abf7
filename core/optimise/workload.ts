import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { OnStep } from '../build/artifact.ts';
import { LAMBDA_ENVIRONMENT, notEnded } from '../build/imports.ts';
import { run } from '../build/run.ts';
import { script } from '../build/scripts.ts';
import { IMPORT_LIMIT_MS, Watch } from '../build/watch.ts';
import { UNKNOWN_VALUE } from '../release/build-plan.ts';
import { mismatch } from '../release/expect.ts';
import { namingPath } from '../system-errors.mjs';

/** What one function is known to do: its imports and its smoke events, run beside its layers. */
export interface Workload {
  /** The function's name. */
  name: string;
  interpreter: string;
  /** Folders on the path: the function's own tree, then its layers'. */
  paths: readonly string[];
  modules: readonly string[];
  handler?: string;
  events: readonly { name: string; event: unknown; expect?: unknown }[];
  environment: Readonly<Record<string, string>>;
  /** The project's tests: a module with its arguments, run in the project's folder. */
  test?: { run: readonly string[]; root: string };
  /** Whether layers of others, which nobody here has looked into, may bring what is missing. */
  others?: boolean;
  /** Why it does not show all that the function does, where that is known before it runs. */
  blind?: string;
  /** Whether it must be able to fetch what was removed. */
  fetch?: boolean;
  /** Where bytecode of unchanged sources is kept from run to run. */
  bytecodeCache: string;
}

/** How one import or event went. Two runs agree when their outcomes are equal. */
export interface Outcome {
  name: string;
  /** `ok`, `wrong: …` for an answer that is not the expected one, else the error's class. */
  result: string;
  /** The error in full, for people. */
  detail?: string;
  /**
   * `missing`: a module, a library or a file. `crash`: the interpreter ended, or had to be ended. `certain`: it fails so wherever it
   * runs. `other`: it failed, and what is only here may be the reason.
   */
  kind: 'ok' | 'wrong' | 'missing' | 'crash' | 'certain' | 'other';
  /** Wall time, in milliseconds. */
  ms: number;
}

const importedSchema = z.object({
  file: z.string(),
  line: z.int(),
  function: z.string(),
  ms: z.number(),
  modules: z.array(z.string()),
});

/** An import statement that loaded modules: where it stands, and what it pulled in, others' imports included. */
export type ImportedAt = z.infer<typeof importedSchema>;

const edgeSchema = z.object({
  module: z.string(),
  line: z.int(),
  to: z.array(z.string()),
  new: z.array(z.string()),
});

export interface Trace {
  /** Every file below the paths that was opened or mapped. */
  opened: string[];
  /** File of each module that was loaded, by name. */
  modules: Record<string, string>;
  /** Files of all Python code that ran in an event, as tracebacks name them. */
  called: string[];
  imported: ImportedAt[];
  /**
   * What each module imports while it is loaded, whether that was loaded already or not, and what was new after it, by line;
   * line 0 for what functions import that it calls.
   */
  edges: z.infer<typeof edgeSchema>[];
}

/** What run_workloads.py calls the attempt to do what the finder does. */
const FETCH = 'fetch';
const TESTS = 'tests';
const TIMEOUT_MS = 5 * 60_000;
const lineSchema = z.looseObject({
  name: z.string().optional(),
  started: z.boolean().optional(),
  ok: z.boolean().optional(),
  kind: z.enum(['import', 'certain', 'other']).optional(),
  error: z.string().optional(),
  ms: z.number().optional(),
  answer: z.unknown().optional(),
  opened: z.array(z.string()).optional(),
  modules: z.record(z.string(), z.string()).optional(),
  called: z.array(z.string()).optional(),
  imported: z.array(importedSchema).optional(),
  edges: z.array(edgeSchema).optional(),
});
type Line = z.infer<typeof lineSchema>;

function outcomeOf(
  { name = '', ok, kind: why = 'other', error = '', answer, ms = 0 }: Line,
  expect: unknown,
  isKnown: boolean,
): Outcome {
  if (!ok) {
    const result = error.split(':')[0] ?? error;
    // Code that ends itself may do so for the sake of a value that only the deployment knows.
    const isDoubtful = result === 'SystemExit' && !isKnown;
    const kind = why === 'import' ? 'missing' : isDoubtful ? 'other' : why;
    return { name, ms, result, detail: error, kind };
  }
  const problem = expect === undefined ? undefined : mismatch(answer, expect);
  return problem === undefined
    ? { name, ms, result: 'ok', kind: 'ok' }
    : { name, ms, result: `wrong: ${problem}`, kind: 'wrong' };
}

/** How long an attempt may take: events and tests as long as the whole workload. */
const limitOf = (attempt: string): number | undefined =>
  /^(import|handler) /.test(attempt) ? IMPORT_LIMIT_MS : undefined;

/**
 * How a full disk shows: Python says nothing where it cannot write bytecode to the end, and later stumbles over what there
 * is of it. A power cut leaves the same.
 */
const CUT_OFF = /marshal data|\[Errno (28|122)\]/;

/** @throws Error of the operating system where a file cannot be written to a folder */
async function requireRoom(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const file = join(folder, `room-${randomUUID()}`);
  try {
    await namingPath(folder, writeFile(file, Buffer.alloc(64 * 1024)));
  } finally {
    await rm(file, { force: true });
  }
}

/**
 * Runs a workload in a clean interpreter; once more where bytecode that was kept is broken.
 * @param trace whether to record what it opens
 * @param onStep is told what takes long
 * @throws Error of the operating system where no space is left for bytecode or temporary files
 */
export async function runWorkload(
  workload: Workload,
  trace: boolean,
  onStep?: OnStep,
): Promise<{ outcomes: Outcome[]; trace: Trace }> {
  const first = await attempt(workload, trace, onStep);
  if (!first.outcomes.some(({ detail = '' }) => CUT_OFF.test(detail))) return first;
  await requireRoom(tmpdir());
  await requireRoom(workload.bytecodeCache);
  await rm(workload.bytecodeCache, { recursive: true, force: true });
  return attempt(workload, trace, onStep);
}

async function attempt(
  workload: Workload,
  trace: boolean,
  onStep: OnStep = () => {},
): Promise<{ outcomes: Outcome[]; trace: Trace }> {
  const {
    interpreter,
    paths,
    modules,
    handler,
    events,
    environment,
    fetch = false,
    test,
    bytecodeCache,
  } = workload;
  const home = await mkdtemp(join(tmpdir(), 'plimsoll-workload-'));
  const onSlow = (name: string, ms: number) =>
    onStep(`${workload.name}: ${name} runs for ${Math.round(ms / 1000)} s`);
  const watch = new Watch({ limitOf, onSlow });
  try {
    const result = await run(
      interpreter,
      ['-I', '-S', '-X', `pycache_prefix=${bytecodeCache}`, script('run_workloads.py')],
      {
        cwd: home,
        env: {
          ...LAMBDA_ENVIRONMENT,
          ...environment,
          HOME: home,
          AWS_MAX_ATTEMPTS: '1',
          MPLCONFIGDIR: home,
        },
        input: JSON.stringify({
          paths,
          modules,
          handler: handler ?? null,
          events: events.map(({ name, event }) => ({ name, event: event ?? {} })),
          fetch,
          test: test ?? null,
          trace,
        }),
        timeoutMs: TIMEOUT_MS,
        onLine: watch.line,
      },
    );
    const lines = result.stdout
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? [lineSchema.parse(JSON.parse(line))] : []));
    const expected = new Map(events.map(({ name, expect }) => [`event ${name}`, expect]));
    const wanted = [
      ...modules.map((name) => `import ${name}`),
      ...(handler ? [`handler ${handler}`] : []),
      ...(handler ? events.map(({ name }) => `event ${name}`) : []),
      ...(test ? [TESTS] : []),
    ];
    const how = result.signal ? `signal ${result.signal}` : `code ${result.code}`;
    if (lines.some(({ name }) => name === FETCH)) wanted.unshift(FETCH);
    const ended = new Map(
      lines.flatMap((line) => (line.ok === undefined ? [] : [[line.name, line] as const])),
    );
    const isKnown = !Object.values(environment).includes(UNKNOWN_VALUE);
    const outcomes = wanted.map((name): Outcome => {
      const done = ended.get(name);
      // The crash itself is the outcome; where it left no line, the end of standard error says why.
      if (done?.ok === false && name === TESTS)
        return {
          ...outcomeOf(done, undefined, isKnown),
          detail: `${done.error}: ${result.stderr.slice(-1000)}`,
        };
      if (done) return outcomeOf(done, expected.get(name), isKnown);
      const crash = { name, kind: 'crash', ms: 0 } as const;
      return watch.expired === name
        ? { ...crash, result: 'does not end', detail: notEnded(IMPORT_LIMIT_MS) }
        : {
            ...crash,
            result: `ended with ${how}`,
            detail: [`the interpreter ended with ${how}`, result.stderr.slice(-500).trim()]
              .filter(Boolean)
              .join('. '),
          };
    });
    const traced = lines.find((line) => line.opened !== undefined);
    const { opened = [], modules: loaded = {}, called = [], imported = [], edges = [] } = traced ?? {};
    return { outcomes, trace: { opened, modules: loaded, called, imported, edges } };
  } finally {
    watch.end();
    await rm(home, { recursive: true, force: true });
  }
}

/** Outcomes that are not what they were. */
export function changedOutcomes(before: readonly Outcome[], after: readonly Outcome[]): Outcome[] {
  return after.filter((outcome, index) => outcome.result !== before[index]?.result);
}
