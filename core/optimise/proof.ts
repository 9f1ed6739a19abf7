import type { OnStep } from '../build/artifact.ts';
import { onlyOthersBring } from '../build/others.ts';
import { ImportCheckError, WorkloadError } from '../errors.ts';
import { handlerModule } from '../release/entry.ts';
import { changedOutcomes, type Outcome, runWorkload, type Trace, type Workload } from './workload.ts';

const allOk = (outcomes: readonly (readonly Outcome[])[]) =>
  outcomes.flat().every(({ result }) => result === 'ok');

/** Whether an attempt is a part of starting the function, not of what it does once it runs. */
const isStart = ({ handler }: Workload, { name }: Outcome) =>
  handler !== undefined && [`handler ${handler}`, `import ${handlerModule(handler)}`].includes(name);

/** Whether what is missing may be in a layer of others. */
const mayBeThere = ({ others = false, modules }: Workload, { detail = '' }: Outcome) =>
  others && onlyOthersBring(detail, modules) !== undefined;

/** Whether an outcome on the untouched trees says that they cannot work in Lambda either. */
const isFatal = (workload: Workload, outcome: Outcome) =>
  (outcome.kind === 'missing' && !mayBeThere(workload, outcome)) ||
  outcome.kind === 'crash' ||
  (outcome.kind === 'certain' && isStart(workload, outcome));

function failureOf(workload: Workload, outcome: Outcome): Error {
  const { name, kind, result, detail = result } = outcome;
  const Failure = /^(import|handler) /.test(name) ? ImportCheckError : WorkloadError;
  const who = `function ${workload.name}: ${name}`;
  if (kind === 'missing')
    return new Failure(
      `${who} fails with just its own layers, before anything was removed: ${detail}. Add what is missing to its requirements.txt.`,
    );
  const also = isStart(workload, outcome) ? ' Lambda could not start the function either.' : '';
  return new Failure(`${who}: ${detail}.${also} Correct its code.`);
}

/**
 * Proves by all workloads that the trees work: as well as they did untouched, once that is known, else without any
 * fault at all.
 */
export class Proof {
  private baseline: Outcome[][] | undefined;
  private traced: Trace[] | undefined;
  private last: Outcome[][] = [];
  /** Imports that must work alone, whatever is imported before them otherwise. */
  private alone: readonly Workload[] = [];
  /** Names of those that fail on the untouched trees, and so prove nothing. */
  private readonly hopeless = new Set<string>();

  /** @param onStep is told what takes long */
  constructor(
    private readonly workloads: readonly Workload[],
    private readonly onStep?: OnStep,
  ) {}

  private async run(trace: boolean): Promise<Trace[]> {
    const results = await Promise.all(
      this.workloads.map((workload) => runWorkload(workload, trace, this.onStep)),
    );
    this.last = results.map(({ outcomes }) => outcomes);
    return results.map((result) => result.trace);
  }

  /**
   * Runs and traces the workloads on the untouched trees.
   * @throws ImportCheckError, WorkloadError where something is missing before anything was removed, or Lambda could not start
   *   a function
   */
  async begin(): Promise<void> {
    this.traced = await this.run(true);
    this.baseline = this.last;
    for (const { workload, failed } of await this.runAlone()) if (failed) this.hopeless.add(workload.name);
    this.proveAlone(this.alone);
    for (const [index, outcomes] of this.baseline.entries()) {
      const workload = this.workloads[index];
      const bad = workload && outcomes.find((outcome) => isFatal(workload, outcome));
      if (bad) throw failureOf(workload, bad);
    }
  }

  /** Whether something did not go well on the untouched trees. */
  get isImpaired(): boolean {
    return this.baseline !== undefined && !allOk(this.baseline);
  }

  /** What the workloads use; where the untouched trees are not known, undefined unless all goes well on these. */
  async traces(): Promise<Trace[] | undefined> {
    if (this.traced) return this.traced;
    const traces = await this.run(true);
    if (!allOk(this.last)) return undefined;
    this.traced = traces;
    return traces;
  }

  /** What the workloads load on the trees as they are now; undefined where something breaks. */
  async trial(): Promise<Trace[] | undefined> {
    const traces = await this.run(true);
    return this.problem() === undefined ? traces : undefined;
  }

  /** The first import or event of a workload that did not go well on the untouched trees. */
  failed(index: number): Outcome | undefined {
    return this.baseline?.[index]?.find(({ result }) => result !== 'ok');
  }

  /** From now on these must run without fault, too. */
  proveAlone(workloads: readonly Workload[]): void {
    this.alone = workloads.filter(({ name }) => !this.hopeless.has(name));
  }

  private async runAlone(): Promise<{ workload: Workload; failed: Outcome | undefined }[]> {
    return Promise.all(
      this.alone.map(async (workload) => {
        const { outcomes } = await runWorkload(workload, false, this.onStep);
        return { workload, failed: outcomes.find(({ result }) => result !== 'ok') };
      }),
    );
  }

  /** What breaks on the trees as they are now: the first of each function. */
  async broken(): Promise<string | undefined> {
    await this.run(false);
    const failed = (await this.runAlone()).find((one) => one.failed !== undefined)?.failed;
    return this.problem() ?? (failed && `${failed.name} alone: ${failed.detail || failed.result}`);
  }

  /** What the last run has shown to be broken. */
  private problem(): string | undefined {
    for (const [index, outcomes] of this.last.entries()) {
      const before = this.baseline?.[index];
      const [first] = before
        ? changedOutcomes(before, outcomes)
        : outcomes.filter(({ result }) => result !== 'ok');
      if (first) return `${this.workloads[index]?.name}: ${first.name}: ${first.detail || first.result}`;
    }
    return undefined;
  }

  /** How the imports went in the last run of the first workload that sees a folder. */
  importsIn(folder: string): readonly Outcome[] {
    const index = this.workloads.findIndex(({ paths }) => paths.includes(folder));
    return (this.last[index] ?? []).filter(({ name }) => name.startsWith('import '));
  }
}
