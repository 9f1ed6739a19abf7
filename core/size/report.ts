import { z } from 'zod';
import { BudgetExceededError } from '../errors.ts';
import { ownValue } from '../project/intrinsics.ts';
import type { BuildPlan } from '../release/build-plan.ts';
import { LAMBDA_LAYERS_PER_FUNCTION, LAMBDA_UNZIPPED_BYTES } from './limits.ts';

/** One file as a zip's central directory lists it. */
export interface SizedFile {
  path: string;
  /** Bytes, unzipped. */
  bytes: number;
  crc32: number;
}

export interface MeasuredArtifact {
  kind: 'layer' | 'function';
  name: string;
  /** Bytes of the zip. */
  zipped: number;
  files: readonly SizedFile[];
}

const checkSchema = z.object({
  subject: z.string(),
  what: z.enum(['budget', 'lambda-unzipped', 'lambda-layers']),
  actual: z.number(),
  limit: z.number(),
  ok: z.boolean(),
  /** Whether it is a budget that nobody wrote: no reason to fail. */
  isDefault: z.boolean().default(false),
});

/** A limit and what was measured against it, in bytes or, for layers a function, in layers. */
export type Check = z.infer<typeof checkSchema>;

const shares = z.array(z.tuple([z.string(), z.number()]));

export const sizeReportSchema = z.object({
  artifacts: z.array(
    z.object({
      kind: z.enum(['layer', 'function']),
      name: z.string(),
      zipped: z.number(),
      /** Unzipped. */
      bytes: z.number(),
      /** Bytes by package and by kind of file, largest first. */
      packages: shares,
      kinds: shares,
    }),
  ),
  /** All artifacts, each distinct file counted once, in bytes unzipped. */
  total: z.number(),
  zipped: z.number(),
  checks: z.array(checkSchema),
});

export type SizeReport = z.infer<typeof sizeReportSchema>;

/** The package that a file belongs to: `python/numpy.libs/x.so` is numpy's, `node_modules/@a/b/c.js` is @a/b's. */
export function packageOf(path: string): string {
  const npm = /^(?:nodejs\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  if (npm !== undefined) return npm;
  const [top = '', ...rest] = path.replace(/^python\//, '').split('/');
  if (rest.length === 0) return top.replace(/\.(py|pyc|cpython-.*\.so|abi3\.so|so)$/, '');
  return top.replace(/\.libs$/, '').replace(/-[^-]+\.dist-info$/, '');
}

/** What a file is, by its ending. */
export function kindOf(path: string): string {
  if (/\.so(\.\d+)*$/.test(path)) return 'native';
  if (path.endsWith('.pyc')) return 'bytecode';
  if (path.endsWith('.py')) return 'source';
  return 'data';
}

function sumBy(files: readonly SizedFile[], group: (path: string) => string): [string, number][] {
  const sums = new Map<string, number>();
  for (const { path, bytes } of files) sums.set(group(path), (sums.get(group(path)) ?? 0) + bytes);
  return [...sums].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

const sum = (files: readonly SizedFile[]) => files.reduce((total, { bytes }) => total + bytes, 0);

/** Bytes of all files, those with the same content counted once (same size and CRC-32). */
export function distinctBytes(artifacts: readonly MeasuredArtifact[]): number {
  const seen = new Map(
    artifacts.flatMap(({ files }) => files.map(({ bytes, crc32 }) => [`${crc32}:${bytes}`, bytes] as const)),
  );
  return [...seen.values()].reduce((total, bytes) => total + bytes, 0);
}

function check(
  subject: string,
  what: Check['what'],
  actual: number,
  limit: number,
  isDefault = false,
): Check {
  return { subject, what, actual, limit, ok: actual <= limit, isDefault };
}

/** Measures all artifacts of a plan against its budgets and against Lambda's own limits. Pure. */
export function sizeReport(
  plan: Pick<BuildPlan, 'budgets' | 'functions' | 'externals'>,
  artifacts: readonly MeasuredArtifact[],
): SizeReport {
  const sizes = artifacts.map(({ kind, name, zipped, files }) => ({
    kind,
    name,
    zipped,
    bytes: sum(files),
    packages: sumBy(files, packageOf),
    kinds: sumBy(files, kindOf),
  }));
  const bytesOf = (kind: string, name: string) =>
    sizes.find((one) => one.kind === kind && one.name === name)?.bytes ?? 0;
  const total = distinctBytes(artifacts);
  const isDefault = (budget: string) => plan.budgets.byDefault.includes(budget);
  const budgetChecks = sizes.flatMap(({ kind, name, bytes }) => {
    const group = kind === 'layer' ? 'layers' : 'functions';
    const limit = ownValue(plan.budgets[group], name);
    // A budget is "less than": an artifact of exactly that size is over it.
    return limit === undefined
      ? []
      : [check(`${kind} ${name}`, 'budget', bytes, limit - 1, isDefault(`${group}.${name}`))];
  });
  const functionChecks = plan.functions.flatMap((fn) => {
    const ofOthers = plan.externals.filter(({ id }) => fn.stack.includes(id));
    const whole = [
      bytesOf('function', fn.name),
      ...fn.layers.map((layer) => bytesOf('layer', layer)),
      ...ofOthers.map(({ bytes }) => bytes),
    ].reduce((sum, bytes) => sum + bytes, 0);
    return [
      check(`function ${fn.name} with its layers`, 'lambda-unzipped', whole, LAMBDA_UNZIPPED_BYTES),
      check(
        `function ${fn.name}`,
        'lambda-layers',
        fn.layers.length + fn.foreignLayers,
        LAMBDA_LAYERS_PER_FUNCTION,
      ),
    ];
  });
  return {
    artifacts: sizes,
    total,
    zipped: sizes.reduce((bytes, one) => bytes + one.zipped, 0),
    checks: [
      ...budgetChecks,
      ...functionChecks,
      check('whole release', 'budget', total, plan.budgets.total - 1, isDefault('total')),
    ],
  };
}

/** 134849272 bytes are 134.8 MB; what would be 0.0 MB is said in kB. */
export const megabytes = (bytes: number): string =>
  bytes < 50_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;

/** One figure, with digits enough to differ from its limit. */
function figures(actual: number, limit: number): [string, string] {
  const digits = [1, 3, 6].find((n) => (actual / 1e6).toFixed(n) !== (limit / 1e6).toFixed(n)) ?? 6;
  return [`${(actual / 1e6).toFixed(digits)} MB`, `${(limit / 1e6).toFixed(digits)} MB`];
}

/** What is too big, by how much, and what takes the space: one sentence a broken limit. */
export function explainChecks(report: SizeReport): string[] {
  return explain(
    report,
    report.checks.filter(({ ok, isDefault }) => !ok && !isDefault),
  );
}

/** What is over a budget that nobody wrote: one remark each, for people. */
export function explainDefaults(report: SizeReport): string[] {
  const over = report.checks.filter(({ ok, isDefault }) => !ok && isDefault);
  return explain(report, over).map((line) => `${line}. Set your own in plimsoll.yaml: budgets`);
}

function explain(report: SizeReport, checks: readonly Check[]): string[] {
  return checks.map(({ subject, what, actual, limit, isDefault }) => {
    if (what === 'lambda-layers') return `${subject} uses ${actual} layers, Lambda takes ${limit}`;
    const own = report.artifacts.filter(
      ({ kind, name }) => subject === 'whole release' || subject.startsWith(`${kind} ${name}`),
    );
    const largest = own
      .flatMap(({ packages }) => packages)
      .sort((a, b) => b[1] - a[1])
      .slice(0, 3);
    const space = largest.map(([name, bytes]) => `${name} ${megabytes(bytes)}`).join(', ');
    const [figure, bound] = figures(actual, what === 'budget' ? limit + 1 : limit);
    const name = what !== 'budget' ? "Lambda's limit" : isDefault ? 'the default budget' : 'its budget';
    return `${subject} is ${figure}, ${megabytes(actual - limit)} over ${name} of ${bound} (${space})`;
  });
}

/** @throws BudgetExceededError saying what is too big, by how much, and what takes the space */
export function refuseOverBudget(report: SizeReport): void {
  const problems = explainChecks(report);
  if (problems.length === 0) return;
  throw new BudgetExceededError(
    `${problems.join('; ')}. Drop what is not needed from requirements.txt, or raise the budget in plimsoll.yaml: budgets.`,
  );
}
