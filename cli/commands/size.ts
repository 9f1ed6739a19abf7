import { basename, join } from 'node:path';
import { Argument, Command, Option } from 'commander';
import { readSbom, SBOM_FILE } from '../../core/build/sbom.ts';
import { rememberedDecisions, type WorkspaceArtifact } from '../../core/build/workspace.ts';
import { PrerequisiteError } from '../../core/errors.ts';
import { explainDefaults, megabytes, refuseOverBudget, type SizeReport } from '../../core/size/report.ts';
import { lazyOption, modeOption, type Overrides, openBuild } from '../open-build.ts';
import { htmlReport, type ReportedArtifact } from '../show/html-report.ts';
import { sizeTable } from '../show/release.ts';
import { green, table } from '../show/table.ts';
import { withProjectOptions } from './options.ts';

interface Options extends Overrides {
  verbose: boolean;
  format: 'text' | 'json' | 'html';
}

const MOST = 10;

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

async function withSbom({ manifest, folder }: WorkspaceArtifact): Promise<ReportedArtifact> {
  const sbom = await readSbom(folder);
  if (sbom === undefined)
    throw new PrerequisiteError(`${join(folder, SBOM_FILE)} is missing or broken; run: plimsoll build`);
  return { manifest, sbom };
}

async function act(what: 'check' | 'report', { verbose, format, ...overrides }: Options): Promise<void> {
  const { root, folder, plan, workspace, report } = await openBuild(overrides);
  const manifests = [...workspace.artifacts.values()].map(({ manifest }) => manifest);
  if (format === 'html') {
    const artifacts = await Promise.all([...workspace.artifacts.values()].map(withSbom));
    const heavy = (await rememberedDecisions(plan, folder))?.heavyImports ?? [];
    process.stdout.write(htmlReport(basename(root), report, artifacts, heavy));
  } else if (format === 'json') console.log(JSON.stringify(report));
  else {
    console.log(sizeTable(report, plan, manifests));
    if (what === 'report' || verbose) console.log(`\n${shares(report)}`);
  }
  if (what === 'report') return;
  refuseOverBudget(report);
  if (format !== 'text') return;
  const notes = explainDefaults(report);
  for (const line of notes) console.log(`Note: ${line}.`);
  if (notes.length === 0) console.log(green(`\nAll ${report.checks.length} budgets and limits hold.`));
}

export function sizeCommand(): Command {
  return withProjectOptions(new Command('size'))
    .description('what was built weighs, against its budgets, and what takes the space')
    .addArgument(
      new Argument(
        '<what>',
        'check: end with 1 where a budget is broken; report: show what takes the space',
      ).choices(['check', 'report']),
    )
    .option('--verbose', 'with check: show what takes the space, too', false)
    .addOption(modeOption())
    .addOption(lazyOption())
    .addOption(
      new Option('--format <format>', 'how to print it').choices(['text', 'json', 'html']).default('text'),
    )
    .action(act);
}
