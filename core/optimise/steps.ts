import { join, relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Lazy, sourceOf } from '../build/bytecode.ts';
import { topLevelModules } from '../build/imports.ts';
import { planRemovals } from '../build/rules.ts';
import { listTree } from '../build/tree.ts';
import { addAnswers, withoutMissed } from './answers.ts';
import { compileLazily, compileUnit } from './bytecode.ts';
import type { Decisions, HeavyImport, Mode } from './decisions.ts';
import { setLazyRuntime } from './finder.ts';
import { heavyImports } from './heavy.ts';
import { type ImportsOf, unusedFiles } from './keep.ts';
import { candidates, type LazyFiles, worthwhile } from './lazy.ts';
import { keyOf, type Located, type LocatedTrace, locateTrace } from './locate.ts';
import { nativeChanges } from './native.ts';
import type { Proof } from './proof.ts';
import { sharedChanges } from './shared.ts';
import type { Change, Stash } from './stash.ts';
import { ownersOf, type Unit } from './unit.ts';
import type { Trace, Workload } from './workload.ts';

export interface OptimiseInput {
  units: readonly Unit[];
  workloads: readonly Workload[];
  mode: Mode;
  /** Modules that stay in any case. */
  keep?: readonly string[];
  /** Whether third-party modules put off imports that no workload needs at once. */
  lazy?: boolean;
  /** Whether functions may fetch what no workload has used. */
  fetch?: boolean;
  /** An empty folder. */
  workdir: string;
  onStep?: (step: string) => void;
}

type FilesHeld = ReadonlyMap<Unit, ReadonlyMap<string, number>>;

/** A file that is compiled so that it loads some things only when they are used. */
interface LazyFile {
  file: Located;
  change: Change;
  lazy: Lazy;
  /** Whether it looks at its namespace as a whole while it is loaded. */
  looks: boolean;
}

export interface Step {
  name: string;
  /** Undefined where it cannot say, since the workloads do not run well on the trees as they are. */
  changes(): Promise<readonly Change[] | undefined>;
  /** Whether these changes are to be proven at once, before those of the next step. */
  isDoubtful?: () => boolean;
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

/** The steps in their order. What a tree's bytecode is made of, and what may go, follows from what is known of its workloads. */
export class Steps {
  private imports = new Map<string, ImportsOf>();
  /** What replaced the sources, and so knows where these lie. */
  private compiled: readonly Change[] = [];
  private lazyOf = new Map<Change, Lazy>();
  private isDeferralDoubtful = false;
  heavy: HeavyImport[] = [];

  constructor(
    private readonly input: OptimiseInput,
    private readonly proof: Proof,
    private readonly stash: Stash,
  ) {}

  // A workload that fails here, for want of an account, say, does not show all that it needs.
  whyNotTraced(unit: Unit): string | undefined {
    const own = this.input.workloads.flatMap(({ name, paths, blind }, index) =>
      paths.includes(unit.libraries) ? [{ name, blind, failed: this.proof.failed(index) }] : [],
    );
    if (unit.idle !== undefined) return unit.idle;
    if (own.length === 0) return 'no function uses it';
    const blind = own.find((one) => one.blind !== undefined);
    if (blind) return `${blind.name}: ${blind.blind}, so nobody has seen all that it needs`;
    const incomplete = own.find(({ failed }) => failed !== undefined);
    return (
      incomplete &&
      `${incomplete.name}: ${incomplete.failed?.name} ends with ${incomplete.failed?.result} in the build, so it does not show all that it needs`
    );
  }

  /** Whether docstrings stay: a workload that has not run cannot show that nothing reads them. */
  hasDocstrings(unit: Unit): boolean {
    return this.input.mode === 'rules' || unit.keepsSources || this.whyNotTraced(unit) !== undefined;
  }

  private async rules(): Promise<Change[]> {
    return this.input.units.flatMap(ruleChanges);
  }

  private async bytecode(): Promise<readonly Change[]> {
    const { units, workdir } = this.input;
    const compilations = await Promise.all(
      units.map((unit) => {
        const out = join(workdir, 'bytecode', unit.kind, unit.name);
        return compileUnit(unit, listTree(unit.libraries), this.hasDocstrings(unit), out);
      }),
    );
    this.imports = new Map(compilations.flatMap(({ imports }) => [...imports]));
    // With its source beside it, bytecode is made when the artifact is: there is nothing to prove.
    this.compiled = compilations.flatMap(({ changes }, index) => (units[index]?.keepsSources ? [] : changes));
    return this.compiled;
  }

  /** Which library is loaded first depends on the order of imports, so each package that relies on another's is imported alone. */
  private async shared(): Promise<Change[]> {
    const { units, workdir } = this.input;
    const changes = units.map((unit) => ({ unit, own: sharedChanges(unit, units) }));
    const alone = changes.flatMap(({ unit, own }) => {
      const names = new Set(own.map(({ distribution }) => distribution));
      const beneath = units.filter(({ kind, name }) => kind === 'layer' && unit.beneath.includes(name));
      const modules = unit.installed.filter(({ name }) => names.has(name)).flatMap(topLevelModules);
      return (unit.idle === undefined ? modules : []).map(
        (module): Workload => ({
          name: module,
          interpreter: unit.interpreter,
          paths: [...[unit, ...beneath].map(({ libraries }) => libraries), ...unit.runtime],
          modules: [module],
          events: [],
          environment: {},
          bytecodeCache: join(workdir, 'bytecode-of-untouched'),
        }),
      );
    });
    if (this.input.workloads.length > 0) this.proof.proveAlone(alone);
    return changes.flatMap(({ own }) => own);
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

  /** Bytes of all files that the units hold now, by unit and by the name of their source. */
  private held(): FilesHeld {
    return new Map(
      this.input.units.map((unit) => [
        unit,
        new Map(listTree(unit.libraries).map(({ path, bytes }) => [sourceOf(path), bytes])),
      ]),
    );
  }

  /** The traces of all workloads, with files as the units hold them. */
  private located(traces: readonly Trace[], held: FilesHeld): { name: string; trace: LocatedTrace }[] {
    const { units, workloads } = this.input;
    return traces.map((trace, index) => {
      const { name = '', paths = [] } = workloads[index] ?? {};
      const seen = units.filter(({ libraries }) => paths.includes(libraries));
      return { name, trace: locateTrace(trace, seen, (unit, path) => held.get(unit)?.has(path) ?? false) };
    });
  }

  /** Finds the imports that cost much and that no event has used, and, if the project wants it, defers what can be deferred. */
  private async lazyImports(): Promise<readonly Change[] | undefined> {
    if (this.input.mode === 'rules') return [];
    const traces = await this.proof.traces();
    if (!traces) return undefined;
    const held = this.held();
    const before = this.located(traces, held);
    const bytesOf = ({ unit, path }: Located) => held.get(unit)?.get(path) ?? 0;
    // Tests load what they like; what counts is the start of functions.
    const starts = before.filter((_, index) => this.input.workloads[index]?.test === undefined);
    this.heavy = starts.flatMap(({ name, trace }) => heavyImports(name, trace, bytesOf));
    if (!this.input.lazy) return [];
    return this.defer(
      starts.map(({ trace }) => trace),
      held,
    );
  }

  private async defer(before: readonly LocatedTrace[], held: FilesHeld): Promise<readonly Change[]> {
    for (const { libraries } of this.input.units) await setLazyRuntime(libraries, true);
    const all = await this.deferAll(before);
    this.stash.make(all.map(({ change }) => change));
    const tried = await this.proof.trial();
    // Deferral puts other bytes under the same names.
    const after = tried && this.located(tried, held).map(({ trace }) => trace);
    this.stash.undo(all.map(({ change }) => change));
    this.isDeferralDoubtful = after === undefined;
    // Where something breaks, nobody knows yet what helps: the proof takes out what broke it, and the rest stays.
    const deferred = new Map(all.map(({ file, lazy }) => [keyOf(file), { file, lazy }]));
    const chosen = after
      ? await this.choose(all, addAnswers(worthwhile(deferred, before, after), before))
      : all;
    this.lazyOf = new Map(chosen.map(({ change, lazy }) => [change, lazy]));
    this.heavy = this.heavy.map((one) => {
      const index = this.input.workloads.findIndex(({ name }) => name === one.function);
      const now = after?.[index]?.modules;
      return { ...one, deferred: now ? one.modules.filter((module) => !now.has(module)).length : 0 };
    });
    return chosen.map(({ change }) => change);
  }

  /** Everything that can be deferred, but for what packages would miss that look at their namespace while they are loaded. */
  private async deferAll(before: readonly LocatedTrace[]): Promise<LazyFile[]> {
    const wanted = candidates(before);
    const all = await this.compileLazily(addAnswers(wanted, before), 'all');
    const looking = all.filter(({ looks, lazy }) => looks && lazy.seen.length > 0);
    if (looking.length === 0) return all;
    const files = new Map(looking.map(({ file, lazy }) => [keyOf(file), lazy.seen]));
    return this.compileLazily(addAnswers(withoutMissed(wanted, before, files), before), 'seen');
  }

  /** What was compiled to be tried is taken as it is where nothing else is wanted; the rest is compiled anew. */
  private async choose(tried: readonly LazyFile[], wanted: LazyFiles): Promise<LazyFile[]> {
    const same = tried.filter(({ file, lazy }) => {
      const now = wanted.get(keyOf(file))?.lazy;
      return now !== undefined && isDeepStrictEqual(now, lazy);
    });
    const known = new Set(same.map(({ file }) => keyOf(file)));
    const others = new Map([...wanted].filter(([key]) => !known.has(key)));
    return [...same, ...(await this.compileLazily(others, 'chosen'))];
  }

  private async compileLazily(files: LazyFiles, name: string): Promise<LazyFile[]> {
    const { units, workdir } = this.input;
    const compiled = await Promise.all(
      units.map(async (unit) => {
        const own = [...files.values()].filter(({ file }) => file.unit === unit);
        const sources = this.compiled
          .filter(({ root }) => root === unit.libraries)
          .flatMap((change) => {
            const place = this.stash.placeOf(change);
            return place === undefined ? [] : [[change.path, place] as const];
          });
        const done = await compileLazily(
          unit,
          new Map(own.map(({ file, lazy }) => [file.path, lazy])),
          new Map(sources),
          this.hasDocstrings(unit),
          join(workdir, 'lazy', name, unit.kind, unit.name),
        );
        return done.map((one) => ({ ...one, file: { unit, path: sourceOf(one.change.path) } }));
      }),
    );
    return compiled.flat();
  }

  /** What the files of a unit load only when it is used, as far as these changes were made. */
  lazyFiles(unit: Unit, made: ReadonlySet<Change>): Decisions['lazy'] {
    return Object.fromEntries(
      [...this.lazyOf]
        .filter(([change]) => made.has(change) && change.root === unit.libraries)
        .map(([{ path }, lazy]) => [sourceOf(path), lazy] as const)
        .sort(([a], [b]) => (a < b ? -1 : 1)),
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
      { name: 'shared', changes: () => this.shared() },
      { name: 'trace', changes: () => this.trace() },
      { name: 'lazy', changes: () => this.lazyImports(), isDoubtful: () => this.isDeferralDoubtful },
      { name: 'native', changes: () => this.native() },
    ];
  }
}
