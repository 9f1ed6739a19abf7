import { join, resolve } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { rememberingResolver } from '../../core/build/resolve.ts';
import { rememberedPlan, Workspace } from '../../core/build/workspace.ts';
import { PrerequisiteError } from '../../core/errors.ts';
import { loadProject } from '../../core/project/project.ts';
import type { BuildPlan } from '../../core/release/build-plan.ts';
import { planProject } from '../../core/release/plan.ts';
import { megabytes, refuseOverBudget, type SizeReport } from '../../core/size/report.ts';
import { BUILD_FOLDER, measureAll } from '../measure.ts';
import { sizeTable } from '../show/release.ts';
import { green, table } from '../show/table.ts';

interface Options {
  project: string;
  verbose: boolean;
  format: 'text' | 'json';
}

interface Opened {
  plan: BuildPlan;
  workspace: Workspace;
  report: SizeReport;
}

const MOST = 10;

/** What was built last, as the project is now. @throws PrerequisiteError where it was not built */
async function openBuild(project: string): Promise<Opened> {
  const root = resolve(project);
  const folder = join(root, BUILD_FOLDER);
  const planned = await planProject(
    await loadProject(root),
    rememberingResolver(join(folder, 'resolutions')),
  );
  const plan = await rememberedPlan(planned, folder);
  if (!plan) throw new PrerequisiteError(`${root} is not built as it is now; run: plimsoll build`);
  const workspace = new Workspace(root, plan, folder, { step: () => {}, done: () => {} });
  await workspace.open();
  return { plan, workspace, report: await measureAll(plan, workspace) };
}

/** What takes the space in each artifact: its largest packages, and its kinds of files. */
function shares({ artifacts }: SizeReport): string {
  return artifacts
    .map(({ kind, name, bytes, packages, kinds }) => {
      const rows = [
        ...packages.slice(0, MOST),
        ...kinds.map(([what, size]): [string, number] => [`(${what})`, size]),
      ];
      const share = (size: number) => `${((100 * size) / Math.max(bytes, 1)).toFixed(0)} %`;
      return `${kind} ${name}, ${megabytes(bytes)}\n${table(
        [{ title: 'package' }, { title: 'bytes', align: 'right' }, { title: 'share', align: 'right' }],
        rows.map(([what, size]) => [what, megabytes(size), share(size)]),
      )}`;
    })
    .join('\n\n');
}

async function act(what: 'check' | 'report', { project, verbose, format }: Options): Promise<void> {
  const { plan, workspace, report } = await openBuild(project);
  const manifests = [...workspace.artifacts.values()].map(({ manifest }) => manifest);
  if (format === 'json') console.log(JSON.stringify(report));
  else {
    console.log(sizeTable(report, plan, manifests));
    if (what === 'report' || verbose) console.log(`\n${shares(report)}`);
  }
  if (what === 'report') return;
  refuseOverBudget(report);
  if (format === 'text') console.log(green(`\nAll ${report.checks.length} budgets and limits hold.`));
}

export function sizeCommand(): Command {
  return new Command('size')
    .description('what was built weighs, against its budgets, and what takes the space')
    .addArgument(
      new Argument(
        '<what>',
        'check: end with 1 where a budget is broken; report: show what takes the space',
      ).choices(['check', 'report']),
    )
    .option('--project <folder>', 'folder of the SAM project', '.')
    .option('--verbose', 'with check: show what takes the space, too', false)
    .addOption(new Option('--format <format>', 'how to print it').choices(['text', 'json']).default('text'))
    .action(act);
}
