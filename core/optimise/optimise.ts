import { join, relative } from 'node:path';
import { sourceOf } from '../build/bytecode.ts';
import { type ImportResult, topLevelModules } from '../build/imports.ts';
import { planRemovals } from '../build/rules.ts';
import { listTree } from '../build/tree.ts';
import { findCulprits } from './bisect.ts';
import { compileUnit } from './bytecode.ts';
import type { Decisions, Mode, ProjectDecisions, StepReport } from './decisions.ts';
import { listRemoved } from './finder.ts';
import { type ImportsOf, unusedFiles } from './keep.ts';
import { isNative, nativeChanges } from './native.ts';
import { Proof } from './proof.ts';
import { type Change, Stash } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';
import type { Trace, Workload } from './workload.ts';

export interface OptimiseInput {
  units: readonly Unit[];
  workloads: readonly Workload[];
  interpreter: string;
  mode: Mode;
  /** Modules that stay in any case. */
  keep?: readonly string[];
  /** An empty folder. */
  workdir: string;
  onStep?: (step: string) => void;
}

interface Step {
  name: string;
  /** Undefined where it cannot say, since the workloads do not run well on the trees as they are. */
  changes(): Promise<Change[] | undefined>;
}

function ruleChanges(unit: Unit): Change[] {
  const sizes = new Map(listTree(unit.libraries).map(({ path, bytes }) => [path, bytes]));
  return unit.installed
    .flatMap((installed) => planRemovals(installed, unit.services))
    .flatMap(({ path, distribution, reason }) => {
      const saved = sizes.get(path);
      return saved === undefined ? [] : [{ root: unit.libraries, path, saved, distribution, reason }];
    });
}

/** What no workload of the functions that see this tree has used. */
function traceChanges(
  unit: Unit,
  traces: readonly Trace[],
  imports: ReadonlyMap<string, ImportsOf>,
  keep: readonly string[],
): Change[] {
  const inside = (path: string) => !path.startsWith('..');
  const files = listTree(unit.libraries);
  const used = new Set(
    traces.flatMap(({ opened, modules }) =>
      [...opened, ...Object.values(modules)]
        .map((path) => sourceOf(relative(unit.libraries, path)))
        .filter(inside),
    ),
  );
  const loaded = new Set(traces.flatMap(({ modules }) => Object.keys(modules)));
  const owners = ownersOf(unit);
  const unused = new Set(
    unusedFiles({
      files: files.map(({ path }) => sourceOf(path)),
      used,
      imports,
      loaded,
      services: unit.services,
      keep,
    }),
  );
  return files
    .filter(({ path }) => unused.has(sourceOf(path)) && !unit.own.has(path))
    .map(({ path, bytes }) => ({
      root: unit.libraries,
      path,
      saved: bytes,
      distribution: owners.get(sourceOf(path)) ?? unit.name,
      reason: 'No workload opened it, and no code that ran can reach it.',
    }));
}

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
  for (const { name, changes } of steps) {
    onStep(name);
    const made = await changes();
    if (!made) {
      undo();
      return undefined;
    }
    stash.make(made);
    done.push({ step: name, made, putBack: [] });
  }
  onStep('prove');
  if ((await proof.broken()) === undefined) return done;
  undo();
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
    const all = (await changes()) ?? [];
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
    if (!(await works(all))) {
      onStep(`${name}: find what is missed`);
      for (const culprit of await findCulprits(all, works)) culprits.add(culprit);
      await works(all.filter((change) => !culprits.has(change)));
    }
    done.push({ step: name, made, putBack: [...culprits].map((change) => ({ change, broke })) });
  }
  return done;
}

/** The steps in their order. What a tree's bytecode is made of, and what may go, follows from what is known of its workloads. */
class Steps {
  private imports = new Map<string, ImportsOf>();

  constructor(
    private readonly input: OptimiseInput,
    private readonly proof: Proof,
  ) {}

  // A workload that fails here, for want of an account, say, does not show all that it needs.
  whyNotTraced(unit: Unit): string | undefined {
    const own = this.input.workloads.flatMap(({ name, paths }, index) =>
      paths.includes(unit.libraries) ? [{ name, failed: this.proof.failed(index) }] : [],
    );
    if (own.length === 0) return 'no function uses it';
    const incomplete = own.find(({ failed }) => failed !== undefined);
    return (
      incomplete &&
      `${incomplete.name}: ${incomplete.failed?.name} ends with ${incomplete.failed?.result} in the build, so it does not show all that it needs`
    );
  }

  /** Whether docstrings stay: a workload that has not run cannot show that nothing reads them. */
  hasDocstrings(unit: Unit): boolean {
    return this.input.mode === 'rules' || this.whyNotTraced(unit) !== undefined;
  }

  private async rules(): Promise<Change[]> {
    return this.input.units.flatMap(ruleChanges);
  }

  private async bytecode(): Promise<Change[]> {
    const { units, interpreter, workdir } = this.input;
    const compilations = await Promise.all(
      units.map((unit) => {
        const out = join(workdir, 'bytecode', unit.kind, unit.name);
        return compileUnit(unit, listTree(unit.libraries), this.hasDocstrings(unit), interpreter, out);
      }),
    );
    this.imports = new Map(compilations.flatMap(({ imports }) => [...imports]));
    return compilations.flatMap(({ changes }) => changes);
  }

  private async trace(): Promise<Change[] | undefined> {
    const { units, workloads, mode, keep = [] } = this.input;
    if (mode === 'rules') return [];
    const traces = await this.proof.traces();
    return (
      traces &&
      units
        .filter((unit) => this.whyNotTraced(unit) === undefined)
        .flatMap((unit) => {
          const seen = traces.filter((_, index) => workloads[index]?.paths.includes(unit.libraries));
          return traceChanges(unit, seen, this.imports, keep);
        })
    );
  }

  private async native(): Promise<Change[]> {
    const { units, workdir } = this.input;
    return units.flatMap((unit) =>
      nativeChanges(unit, listTree(unit.libraries), join(workdir, 'native', unit.kind, unit.name)),
    );
  }

  get all(): Step[] {
    return [
      { name: 'rules', changes: () => this.rules() },
      { name: 'bytecode', changes: () => this.bytecode() },
      { name: 'trace', changes: () => this.trace() },
      { name: 'native', changes: () => this.native() },
    ];
  }
}

export interface Optimised {
  decisions: ProjectDecisions;
  /** How the modules of each unit were imported in the last proof; empty where nothing here can run them. */
  imports: Map<Unit, ImportResult[]>;
}

/**
 * Decides what can go from the trees of a project's artifacts, and proves it: all workloads run again on the trees as
 * they are then. Where they do not run without fault, they run on the untouched trees first, and where a step breaks
 * something, what they miss is found by halving and put back. The trees are left as decided.
 * @throws ImportCheckError, WorkloadError where something is missing on the untouched trees
 */
export async function optimise(input: OptimiseInput): Promise<Optimised> {
  const { units, workloads, mode, workdir, onStep = () => {} } = input;
  const stash = new Stash(join(workdir, 'stash'));
  const proof = new Proof(workloads);
  const steps = new Steps(input, proof);
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
  const decided = new Map(
    units.map((unit) => [
      unit,
      decisionsOf(
        unit,
        reports,
        steps.hasDocstrings(unit),
        mode === 'traced' ? steps.whyNotTraced(unit) : undefined,
      ),
    ]),
  );
  for (const [unit, { remove }] of decided) await listRemoved(unit.libraries, unit.name, remove);
  const of = (kind: Unit['kind']) =>
    Object.fromEntries(
      [...decided].flatMap(([unit, decisions]) => (unit.kind === kind ? [[unit.name, decisions]] : [])),
    );
  return {
    decisions: { layer: of('layer'), function: of('function') },
    imports: new Map(units.map((unit) => [unit, importsOf(unit, proof)])),
  };
}

function importsOf(unit: Unit, proof: Proof): ImportResult[] {
  const modules = new Set([...unit.installed.flatMap(topLevelModules), ...unit.modules]);
  return proof.importsIn(unit.libraries).flatMap(({ name, ms, result, detail, missing }): ImportResult[] => {
    const module = name.slice('import '.length);
    if (!modules.has(module)) return [];
    const error = detail ?? result;
    return [{ module, ms, ...(result === 'ok' ? {} : { error, kind: missing ? 'import' : 'other' }) }];
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

function decisionsOf(unit: Unit, reports: readonly Done[], docstrings: boolean, note?: string): Decisions {
  const mine = ({ root }: Change) => root === unit.libraries;
  const made = reports.flatMap((report) => report.made.filter(mine));
  const isCompiled = ({ path, instead }: Change) => instead !== undefined && instead.to !== path;
  // A wheel may bring bytecode of its own; any other stands for the source that was installed.
  const installedPath = ({ path }: Change) => (unit.installedSizes.has(path) ? path : sourceOf(path));
  const pathsOf = (changes: readonly Change[]) => changes.map(installedPath).sort();
  return {
    remove: pathsOf(made.filter(({ instead }) => instead === undefined)),
    compact: pathsOf(made.filter((change) => isNative(change.path) && change.instead !== undefined)),
    docstrings,
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
          .map(({ change, broke }) => ({ path: installedPath(change), broke })),
      };
    }),
  };
}
