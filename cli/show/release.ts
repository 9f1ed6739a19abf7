import type { Manifest } from '../../core/build/manifest.ts';
import type { BuildPlan } from '../../core/release/build-plan.ts';
import type { Probe } from '../../core/release/probe.ts';
import type { StateRun } from '../../core/release/progress.ts';
import { megabytes, type SizeReport } from '../../core/size/report.ts';
import { titleOf } from '../follow/tasks.ts';
import { duration, red, table } from './table.ts';

/** Bytes of every distribution as installed, by name: what each layer would carry if it stood alone. */
function installedSizes(manifests: readonly Manifest[]): Map<string, number> {
  return new Map(
    manifests.flatMap(({ distributions }) =>
      distributions.map(({ name, installedBytes }) => [name, installedBytes] as const),
    ),
  );
}

/** Sizes before (each layer resolved and installed alone) and after, with the budget. */
export function sizeTable(report: SizeReport, plan: BuildPlan, manifests: readonly Manifest[]): string {
  const installed = installedSizes(manifests);
  const alone = (kind: string, name: string): number => {
    const layer = kind === 'layer' ? plan.layers.find((one) => one.name === name) : undefined;
    const own = manifests.find((one) => one.kind === kind && one.name === name)?.installedBytes ?? 0;
    const carried = new Set(layer?.distributions.map((one) => one.name));
    const shared = (layer?.needs ?? []).filter((need) => !carried.has(need));
    return own + shared.reduce((sum, need) => sum + (installed.get(need) ?? 0), 0);
  };
  const rows = report.artifacts.map(({ kind, name, bytes, zipped }) => {
    const budget = plan.budgets[kind === 'layer' ? 'layers' : 'functions'][name];
    const over = budget !== undefined && bytes >= budget;
    const size = megabytes(bytes);
    return [
      kind,
      name,
      megabytes(alone(kind, name)),
      over ? red(size) : size,
      megabytes(zipped),
      budget === undefined ? '' : `< ${megabytes(budget)}`,
    ];
  });
  const before = report.artifacts.reduce((sum, { kind, name }) => sum + alone(kind, name), 0);
  const total = megabytes(report.total);
  rows.push([
    '',
    'whole release',
    megabytes(before),
    report.total >= plan.budgets.total ? red(total) : total,
    megabytes(report.zipped),
    `< ${megabytes(plan.budgets.total)}`,
  ]);
  return table(
    [
      { title: '' },
      { title: 'artifact' },
      { title: 'before', align: 'right' },
      { title: 'after', align: 'right' },
      { title: 'zipped', align: 'right' },
      { title: 'budget', align: 'right' },
    ],
    rows,
  );
}

/** How long each state took, in order; states that only pass are left out. */
export function timingTable(runs: readonly StateRun[]): string {
  const shown = runs.filter(
    ({ state, status, endedAt }) =>
      status !== 'waiting' && ((endedAt !== undefined && titleOf(state) !== state) || state === 'BuildLayer'),
  );
  const rows = shown.map(({ state, item, startedAt, endedAt = startedAt }) => [
    state === 'BuildLayer' ? `  ${item}` : titleOf(state),
    duration(endedAt - startedAt),
  ]);
  return table([{ title: 'state' }, { title: 'time', align: 'right' }], rows);
}

/** How each function starts, as its probe has shown it in Lambda. */
export function startTable(probes: readonly Probe[]): string {
  const mb = (value: number | null) => (value === null ? '' : `${value} MB`);
  return table(
    [
      { title: 'function' },
      { title: 'imports its handler in', align: 'right' },
      { title: 'memory then', align: 'right' },
      { title: 'of', align: 'right' },
    ],
    probes.map((one) => [one.function, duration(one.ms), mb(one.memoryMb), mb(one.ofMb)]),
  );
}
