import { join, relative } from 'node:path';
import { planRemovals } from '../build/rules.ts';
import { listTree } from '../build/tree.ts';
import { ImportCheckError, WorkloadError } from '../errors.ts';
import { findCulprits } from './bisect.ts';
import type { Decisions, Mode, ProjectDecisions, StepReport } from './decisions.ts';
import { docstringChanges } from './docstrings.ts';
import { type ImportsOf, unusedFiles } from './keep.ts';
import { importsOfModules } from './lazy-imports.ts';
import { isNative, nativeChanges } from './native.ts';
import { type Change, Stash } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';
import { changedOutcomes, type Outcome, runWorkload, type Trace, type Workload } from './workload.ts';

export interface OptimiseInput {
  units: readonly Unit[];
  workloads: readonly Workload[];
  mode: Mode;
  /** Modules that stay in any case. */
  keep?: readonly string[];
  /** An empty folder. */
  workdir: string;
  onStep?: (step: string) => void;
}

interface Step {
  name: string;
  changes(): Promise<Change[]>;
}

async function ruleChanges(unit: Unit): Promise<Change[]> {
  const sizes = new Map((await listTree(unit.libraries)).map(({ path, bytes }) => [path, bytes]));
  return unit.installed
    .flatMap((installed) => planRemovals(installed, unit.services))
    .flatMap(({ path, distribution, reason }) => {
      const saved = sizes.get(path);
      return saved === undefined ? [] : [{ root: unit.libraries, path, saved, distribution, reason }];
    });
}

/** What no workload of the functions that see this tree has used. */
async function traceChanges(
  unit: Unit,
  traces: readonly Trace[],
  imports: ReadonlyMap<string, ImportsOf>,
  keep: readonly string[],
): Promise<Change[]> {
  const inside = (path: string) => !path.startsWith('..');
  const files = await listTree(unit.libraries);
  const used = new Set(
    traces.flatMap(({ opened, modules }) =>
      [...opened, ...Object.values(modules)].map((path) => relative(unit.libraries, path)).filter(inside),
    ),
  );
  const loaded = new Set(traces.flatMap(({ modules }) => Object.keys(modules)));
  const owners = ownersOf(unit);
  const unused = new Set(
    unusedFiles({
      files: files.map(({ path }) => path),
      used,
      imports,
      loaded,
      services: unit.services,
      keep,
    }),
  );
  return files
    .filter(({ path }) => unused.has(path) && !unit.own.has(path))
    .map(({ path, bytes }) => ({
      root: unit.libraries,
      path,
      saved: bytes,
      distribution: owners.get(path) ?? unit.name,
      reason: 'No workload opened it, and no code that ran can reach it.',
    }));
}

/** Proves by all workloads that the trees still work. */
class Proof {
  private baseline: Outcome[][] = [];
  traces: Trace[] = [];

  constructor(private readonly workloads: readonly Workload[]) {}

  /** @throws ImportCheckError, WorkloadError where something is missing before anything was removed */
  async begin(): Promise<void> {
    const results = await Promise.all(this.workloads.map((workload) => runWorkload(workload, true)));
    this.baseline = results.map(({ outcomes }) => outcomes);
    this.traces = results.map(({ trace }) => trace);
    for (const [index, outcomes] of this.baseline.entries()) {
      const missing = outcomes.find((outcome) => outcome.missing);
      if (missing) {
        const Failure = missing.name.startsWith('import ') ? ImportCheckError : WorkloadError;
        throw new Failure(
          `function ${this.workloads[index]?.name}: ${missing.name} fails with just its own layers, before anything was removed: ${missing.detail || missing.result}. Add what is missing to its requirements.txt.`,
        );
      }
    }
  }

  /** The first import or event of a workload that did not go well on the untouched trees. */
  failed(index: number): Outcome | undefined {
    return this.baseline[index]?.find(({ result }) => result !== 'ok');
  }

  /** What breaks now that did not before: the first of each function. */
  async broken(): Promise<string | undefined> {
    const results = await Promise.all(this.workloads.map((workload) => runWorkload(workload, false)));
    for (const [index, { outcomes }] of results.entries()) {
      const [first] = changedOutcomes(this.baseline[index] ?? [], outcomes);
      if (first) return `${this.workloads[index]?.name}: ${first.name}: ${first.detail || first.result}`;
    }
    return undefined;
  }
}

interface Done {
  step: string;
  made: Change[];
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
  for (const { name, changes } of steps) {
    onStep(name);
    const made = await changes();
    await stash.make(made);
    done.push({ step: name, made, putBack: [] });
  }
  onStep('prove');
  if ((await proof.broken()) === undefined) return done;
  for (const { made } of done.toReversed()) await stash.undo(made);
  return undefined;
}

/** A proof after each step; what a workload misses is found by halving and put back before the next step. */
async function oneByOne(
  steps: readonly Step[],
  stash: Stash,
  proof: Proof,
  onStep: (step: string) => void,
): Promise<Done[]> {
  const done: Done[] = [];
  for (const { name, changes } of steps) {
    onStep(name);
    const all = await changes();
    let made: readonly Change[] = [];
    let broke = '';
    const works = async (wanted: readonly Change[]): Promise<boolean> => {
      await stash.undo(made.filter((change) => !wanted.includes(change)));
      await stash.make(wanted.filter((change) => !made.includes(change)));
      made = wanted;
      const problem = await proof.broken();
      broke = problem ?? broke;
      return problem === undefined;
    };
    const culprits = new Set<Change>();
    if (!(await works(all))) {
      onStep(`${name}: find what is missed`);
      for (const culprit of await findCulprits(all, works)) culprits.add(culprit);
      await works(all.filter((change) => !culprits.has(change)));
    }
    done.push({ step: name, made: [...made], putBack: [...culprits].map((change) => ({ change, broke })) });
  }
  return done;
}

/**
 * Decides what can go from the trees of a project's artifacts, and proves it: after each step all workloads run again,
 * and what they miss is found by halving and put back. The trees are left as decided.
 * @throws WorkloadError where a workload fails on the untouched trees
 */
export async function optimise(input: OptimiseInput): Promise<ProjectDecisions> {
  const { units, workloads, mode, keep = [], workdir, onStep = () => {} } = input;
  const stash = new Stash(join(workdir, 'stash'));
  const proof = new Proof(workloads);
  onStep('trace');
  await proof.begin();
  const seenBy = (unit: Unit) =>
    proof.traces.filter((_, index) => workloads[index]?.paths.includes(unit.libraries));
  const interpreter = workloads[0]?.interpreter ?? '';
  const each = async (changes: (unit: Unit) => Promise<Change[]>) =>
    (await Promise.all(units.map(changes))).flat();
  // A workload that fails here, for want of an account, say, does not show all that it needs.
  const whyNotTraced = (unit: Unit): string | undefined => {
    const own = workloads.flatMap(({ name, paths }, index) =>
      paths.includes(unit.libraries) ? [{ name, failed: proof.failed(index) }] : [],
    );
    if (own.length === 0) return 'no function uses it';
    const incomplete = own.find(({ failed }) => failed !== undefined);
    return (
      incomplete &&
      `${incomplete.name}: ${incomplete.failed?.name} ends with ${incomplete.failed?.result} in the build, so it does not show all that it needs`
    );
  };
  const seen = (unit: Unit) => whyNotTraced(unit) === undefined;
  const loaded = new Set(proof.traces.flatMap(({ modules }) => Object.keys(modules)));
  const steps: Step[] = [
    { name: 'rules', changes: () => each(ruleChanges) },
    {
      name: 'trace',
      changes: async () => {
        if (mode !== 'traced') return [];
        const imports = await importsOfModules(
          units.map(({ libraries }) => libraries),
          loaded,
          interpreter,
        );
        return each(async (unit) => (seen(unit) ? traceChanges(unit, seenBy(unit), imports, keep) : []));
      },
    },
    {
      name: 'docstrings',
      changes: () =>
        each(async (unit) =>
          mode === 'traced' && seen(unit) ? docstringChanges(unit, interpreter, workdir) : [],
        ),
    },
    { name: 'native', changes: () => each(nativeChanges) },
  ];
  const reports =
    (await allAtOnce(steps, stash, proof, onStep)) ?? (await oneByOne(steps, stash, proof, onStep));
  const of = (kind: Unit['kind']) =>
    Object.fromEntries(
      units
        .filter((unit) => unit.kind === kind)
        .map((unit) => [
          unit.name,
          decisionsOf(unit, reports, mode === 'traced' ? whyNotTraced(unit) : undefined),
        ]),
    );
  return { layer: of('layer'), function: of('function') };
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

function decisionsOf(unit: Unit, reports: readonly Done[], note?: string): Decisions {
  const mine = ({ root }: Change) => root === unit.libraries;
  const made = reports.flatMap((report) => report.made.filter(mine));
  return {
    remove: made
      .filter(({ content }) => content === undefined)
      .map(({ path }) => path)
      .sort(),
    compact: made
      .filter(({ content, path }) => content !== undefined && isNative(path))
      .map(({ path }) => path)
      .sort(),
    strip: made
      .filter(({ content, path }) => content !== undefined && path.endsWith('.py'))
      .map(({ path }) => path)
      .sort(),
    steps: reports.map(({ step, made: done, putBack }) => {
      return {
        step,
        ...(note !== undefined && step === 'trace' ? { note } : {}),
        removed: summary(done.filter(mine)),
        putBack: putBack
          .filter(({ change }) => mine(change))
          .map(({ change, broke }) => ({ path: change.path, broke })),
      };
    }),
  };
}
