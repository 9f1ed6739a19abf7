import { join } from 'node:path';
import { sourceOf } from '../build/bytecode.ts';
import { type ImportResult, topLevelModules } from '../build/imports.ts';
import { listTree } from '../build/tree.ts';
import { findCulprits } from './bisect.ts';
import type { Decisions, ProjectDecisions, StepReport } from './decisions.ts';
import { setLazyRuntime } from './finder.ts';
import { isNative } from './native.ts';
import { Proof } from './proof.ts';
import { type Change, Stash } from './stash.ts';
import { type OptimiseInput, type Step, Steps } from './steps.ts';
import type { FetchableFile, Unit } from './unit.ts';
import type { Outcome } from './workload.ts';

interface Done {
  step: string;
  made: readonly Change[];
  putBack: { change: Change; broke: string }[];
}

/** All steps, then one proof: the usual case. @returns undefined, and all as it was, where something breaks */
async function allAtOnce(
  steps: readonly Step[],
  stash: Stash,
  proof: Proof,
  onStep: (step: string) => void,
): Promise<Done[] | undefined> {
  const done: Done[] = [];
  const undo = () => {
    for (const { made } of done.toReversed()) stash.undo(made);
  };
  for (const { name, changes, isDoubtful } of steps) {
    onStep(name);
    const all = await changes();
    if (!all) {
      undo();
      return undefined;
    }
    if (isDoubtful?.()) done.push(await makeAndProve(name, all, stash, proof, onStep));
    else {
      stash.make(all);
      done.push({ step: name, made: all, putBack: [] });
    }
  }
  onStep('prove');
  if ((await proof.broken()) === undefined) return done;
  undo();
  return undefined;
}

/** Makes the changes of one step, and proves them; what a workload misses is found by halving and put back. */
async function makeAndProve(
  name: string,
  all: readonly Change[],
  stash: Stash,
  proof: Proof,
  onStep: (step: string) => void,
): Promise<Done> {
  let made: readonly Change[] = [];
  let broke = '';
  const works = async (wanted: readonly Change[]): Promise<boolean> => {
    stash.undo(made.filter((change) => !wanted.includes(change)));
    stash.make(wanted.filter((change) => !made.includes(change)));
    made = wanted;
    const problem = await proof.broken();
    broke = problem ?? broke;
    return problem === undefined;
  };
  const culprits = new Set<Change>();
  if (all.length > 0 && !(await works(all))) {
    onStep(`${name}: find what is missed`);
    for (const culprit of await findCulprits(all, works)) culprits.add(culprit);
    await works(all.filter((change) => !culprits.has(change)));
  }
  return { step: name, made, putBack: [...culprits].map((change) => ({ change, broke })) };
}

/** A proof after each step. */
async function oneByOne(
  steps: readonly Step[],
  stash: Stash,
  proof: Proof,
  onStep: (step: string) => void,
): Promise<Done[]> {
  const done: Done[] = [];
  for (const { name, changes } of steps) {
    onStep(name);
    done.push(await makeAndProve(name, (await changes()) ?? [], stash, proof, onStep));
  }
  return done;
}

export interface Optimised {
  decisions: ProjectDecisions;
  /** How the modules of each unit were imported in the last proof; empty where nothing here can run them. */
  imports: Map<Unit, ImportResult[]>;
  /** Of each unit the files that may be fetched again, and where they lie now. */
  fetchable: Map<Unit, FetchableFile[]>;
}

/**
 * Decides what can go from the trees of a project's artifacts, and proves it: all workloads run again on the trees as
 * they are then. Where they do not run without fault, they run on the untouched trees first, and where a step breaks
 * something, what they miss is found by halving and put back. The trees are left as decided.
 * @throws ImportCheckError, WorkloadError where something is missing on the untouched trees
 */
export async function optimise(input: OptimiseInput): Promise<Optimised> {
  const { units, workloads, mode, fetch = false, workdir, onStep = () => {} } = input;
  const stash = new Stash(join(workdir, 'stash'));
  const proof = new Proof(workloads, onStep);
  const steps = new Steps(input, proof, stash);
  const attempt = () => allAtOnce(steps.all, stash, proof, onStep);
  const afterAll = async () => {
    onStep('run on the untouched trees');
    await proof.begin();
    // What ran well untouched and not in the first attempt will not do so in a second one.
    return (
      (proof.isImpaired ? await attempt() : undefined) ?? (await oneByOne(steps.all, stash, proof, onStep))
    );
  };
  const reports = (await attempt()) ?? (await afterAll());
  const made = new Set(reports.flatMap((report) => report.made));
  const decided = new Map(
    units.map((unit) => [
      unit,
      {
        ...decisionsOf(unit, reports, mode === 'traced' ? steps.whyNotTraced(unit) : undefined),
        fetchable: fetch ? installedPaths(unit, tracedAway(unit, reports)) : [],
        docstrings: steps.hasDocstrings(unit),
        lazy: steps.lazyFiles(unit, made),
        ...(unit.keepsSources ? { sources: sourcesIn(unit) } : {}),
      },
    ]),
  );
  for (const [unit, { lazy }] of decided) await setLazyRuntime(unit.libraries, Object.keys(lazy).length > 0);
  const of = (kind: Unit['kind']) =>
    Object.fromEntries(
      [...decided].flatMap(([unit, decisions]) => (unit.kind === kind ? [[unit.name, decisions]] : [])),
    );
  return {
    decisions: { layer: of('layer'), function: of('function'), heavyImports: steps.heavy },
    imports: new Map(units.map((unit) => [unit, importsOf(unit, proof)])),
    fetchable: new Map(
      units.map((unit) => [
        unit,
        (fetch ? tracedAway(unit, reports) : []).flatMap((change) => {
          const from = stash.placeOf(change);
          return from === undefined ? [] : [{ path: change.path, from }];
        }),
      ]),
    ),
  };
}

const sourcesIn = (unit: Unit): string[] =>
  listTree(unit.libraries).flatMap(({ path }) => (path.endsWith('.py') && !unit.own.has(path) ? [path] : []));

/** What the trace alone has removed: no rule says that nobody needs it. */
const tracedAway = (unit: Unit, reports: readonly Done[]): Change[] =>
  reports
    .filter(({ step }) => step === 'trace')
    .flatMap(({ made }) => made.filter(({ root }) => root === unit.libraries));

const kindOf = (kind: Outcome['kind']): NonNullable<ImportResult['kind']> =>
  kind === 'missing' || kind === 'crash' ? 'import' : kind === 'certain' ? 'certain' : 'other';

function importsOf(unit: Unit, proof: Proof): ImportResult[] {
  const modules = new Set([...unit.installed.flatMap(topLevelModules), ...unit.modules]);
  return proof.importsIn(unit.libraries).flatMap(({ name, ms, result, detail, kind }): ImportResult[] => {
    const module = name.slice('import '.length);
    if (!modules.has(module)) return [];
    const error = detail ?? result;
    return [{ module, ms, ...(result === 'ok' ? {} : { error, kind: kindOf(kind) }) }];
  });
}

/** Per distribution and reason, largest first. */
function summary(changes: readonly Change[]): StepReport['removed'] {
  const rows = new Map<string, StepReport['removed'][number]>();
  for (const { distribution, reason, saved } of changes) {
    const key = `${distribution}\0${reason}`;
    const row = rows.get(key) ?? { distribution, reason, files: 0, bytes: 0 };
    rows.set(key, { ...row, files: row.files + 1, bytes: row.bytes + saved });
  }
  return [...rows.values()].sort((a, b) => b.bytes - a.bytes);
}

// A wheel may bring bytecode of its own; any other stands for the source that was installed.
const installedPath = (unit: Unit, { path }: Change) =>
  unit.installedSizes.has(path) ? path : sourceOf(path);
const installedPaths = (unit: Unit, changes: readonly Change[]) =>
  changes.map((change) => installedPath(unit, change)).sort();

function decisionsOf(
  unit: Unit,
  reports: readonly Done[],
  note?: string,
): Omit<Decisions, 'docstrings' | 'lazy' | 'fetchable'> {
  const mine = ({ root }: Change) => root === unit.libraries;
  const made = reports.flatMap((report) => report.made.filter(mine));
  const isCompiled = ({ path, instead }: Change) => instead !== undefined && instead.to !== path;
  const pathsOf = (changes: readonly Change[]) => installedPaths(unit, changes);
  return {
    remove: pathsOf(made.filter(({ instead }) => instead === undefined)),
    compact: pathsOf(made.filter((change) => isNative(change.path) && change.instead !== undefined)),
    sources: pathsOf(
      reports.flatMap(({ putBack }) =>
        putBack.map(({ change }) => change).filter((change) => mine(change) && isCompiled(change)),
      ),
    ),
    steps: reports.map(({ step, made: done, putBack }) => {
      return {
        step,
        ...(note !== undefined && step === 'trace' ? { note } : {}),
        removed: summary(done.filter(mine)),
        putBack: putBack
          .filter(({ change }) => mine(change))
          .map(({ change, broke }) => ({ path: installedPath(unit, change), broke })),
      };
    }),
  };
}
