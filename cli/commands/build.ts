import { rm } from 'node:fs/promises';
import { Command } from 'commander';
import { Listr, type ListrTask } from 'listr2';
import type { Manifest } from '../../core/build/manifest.ts';
import { requirePythons } from '../../core/build/uv.ts';
import { decidedPlan, Workspace } from '../../core/build/workspace.ts';
import { InvalidInputError } from '../../core/errors.ts';
import type { Project } from '../../core/project/project.ts';
import { pythonUsers } from '../../core/project/target.ts';
import type { BuildPlan } from '../../core/release/build-plan.ts';
import { wavesOf, withRequired } from '../../core/release/plan.ts';
import { megabytes, refuseOverBudget, type SizeReport } from '../../core/size/report.ts';
import { measureAll } from '../measure.ts';
import { lazyOption, modeOption, type Overrides, openProject, planIn, workFolder } from '../open-build.ts';
import { sizeTable } from '../show/release.ts';
import { remarks } from '../show/remarks.ts';
import { rendererOf } from '../show/renderer.ts';
import { dim, duration, green } from '../show/table.ts';
import { withProjectOptions } from './options.ts';

export interface BuildOptions extends Overrides {
  verbose: boolean;
  layersOnly: boolean;
  clean: boolean;
  skipValidation: boolean;
  json: boolean;
  /** Names of the layers to build, with what they require. @default all */
  only?: readonly string[];
}

interface Context {
  project: Project;
  /** Where it is built. */
  folder: string;
  plan: BuildPlan;
  workspace: Workspace;
  report: SizeReport;
}

/** The lines of one artifact: its steps as they go, then its size. */
interface Line {
  title: string;
  output: string;
}

function artifactTask(name: string, lines: Map<string, Line>, done: Promise<void>): ListrTask<Context> {
  return {
    title: name,
    task: async (_context, task) => {
      lines.set(name, task);
      await done;
    },
  };
}

function describe(manifest: Manifest, reused: boolean, ms: number): string {
  const size = `${manifest.name} ${megabytes(manifest.bytes)}`;
  return reused
    ? `${size} ${dim('unchanged, reused')}`
    : `${size} ${dim(`of ${megabytes(manifest.installedBytes)} installed, ${duration(ms)}`)}`;
}

function buildTasks(options: BuildOptions): ListrTask<Context>[] {
  const lines = new Map<string, Line>();
  return [
    {
      title: 'Check prerequisites',
      task: async (context) => {
        context.project = await openProject(options);
        const { root } = context.project;
        context.folder = await workFolder(root);
        if (options.clean) await rm(context.folder, { recursive: true, force: true });
        await requirePythons(pythonUsers(context.project), root);
      },
    },
    {
      title: 'Resolve requirements',
      task: async (context) => {
        context.plan = await planIn(context.project, context.folder);
        refuseUnknownLayers(options.only ?? [], context.plan);
      },
    },
    {
      title: 'Trace, trim and prove',
      task: async (context, task) => {
        const begin = performance.now();
        const onStep = (step: string) => {
          task.output = step;
        };
        const { folder, project } = context;
        const { root } = project;
        const { plan, reused, units } = await decidedPlan(root, context.plan, folder, onStep);
        context.plan = plan;
        const how = `${plan.mode}, ${reused ? 'unchanged' : duration(performance.now() - begin)}`;
        task.title = `Trace, trim and prove ${dim(how)}`;
        context.workspace = new Workspace(
          root,
          context.plan,
          folder,
          {
            step: (_kind, name, step) => {
              const line = lines.get(name);
              if (line) line.output = step;
            },
            done: (manifest, reused, ms) => {
              const line = lines.get(manifest.name);
              if (line) line.title = describe(manifest, reused, ms);
            },
          },
          units,
        );
      },
    },
    {
      title: 'Build layers',
      task: (context, task) => {
        const built = context.workspace.layers(options.only);
        const names = layersToBuild(context.plan, options.only);
        return task.newListr(
          names.map((name) => artifactTask(name, lines, built)),
          { concurrent: true, rendererOptions: { collapseSubtasks: false } },
        );
      },
    },
    {
      title: 'Validate sizes',
      skip: () => options.skipValidation && 'by --skip-validation',
      task: async (context) => {
        context.report = await checkSizes(context);
      },
    },
    {
      title: 'Build functions',
      enabled: () => !options.layersOnly,
      task: (context, task) => {
        const built = context.workspace.functions();
        return task.newListr(
          context.plan.functions.map(({ name }) => artifactTask(name, lines, built)),
          { concurrent: true, rendererOptions: { collapseSubtasks: false } },
        );
      },
    },
    {
      title: 'Validate the whole',
      enabled: () => !options.layersOnly,
      skip: () => options.skipValidation && 'by --skip-validation',
      task: async (context) => {
        context.report = await checkSizes(context);
      },
    },
  ];
}

/** @throws BudgetExceededError */
async function checkSizes({ plan, workspace }: Context): Promise<SizeReport> {
  const report = await measureAll(plan, workspace);
  refuseOverBudget(report);
  return report;
}

/** @throws InvalidInputError naming a layer that the template does not have, and those that it has */
export function refuseUnknownLayers(names: readonly string[], { layers }: BuildPlan): void {
  const unknown = names.find((name) => !layers.some((layer) => layer.name === name));
  if (unknown !== undefined)
    throw new InvalidInputError(
      `layer "${unknown}": the template has no such one; it has ${layers.map(({ name }) => name).join(', ') || 'none'}`,
    );
}

/** In the order of the waves. */
function layersToBuild({ layers }: BuildPlan, only?: readonly string[]): string[] {
  const names = withRequired(layers, only);
  return wavesOf(layers)
    .flat()
    .flatMap(({ name }) => (names.has(name) ? [name] : []));
}

export async function build(options: BuildOptions): Promise<void> {
  const begin = performance.now();
  const list = new Listr<Context>(buildTasks(options), {
    ...rendererOf(options.json),
    exitOnError: true,
  });
  const { project, plan, folder, workspace, report } = await list.run({} as Context);
  await workspace.tidy();
  const artifacts = [...workspace.artifacts.values()];
  const ms = performance.now() - begin;
  const measured = report ?? (await measureAll(plan, workspace));
  if (options.json) {
    console.log(
      JSON.stringify({
        sizes: measured,
        artifacts: artifacts.map(({ manifest, folder, reused }) => ({
          ...summary(manifest),
          folder,
          reused,
        })),
        ms: Math.round(ms),
      }),
    );
    return;
  }
  const manifests = artifacts.map(({ manifest }) => manifest);
  console.log(`\n${sizeTable(measured, plan, manifests)}\n`);
  if (options.verbose) for (const manifest of manifests) console.log(details(manifest));
  else for (const line of remarks(manifests, measured, project)) console.log(line);
  if (plan.mode === 'rules' && project.functions.some(({ smoke }) => smoke.length === 0))
    console.log(
      'With a smoke event for each function, what they do is traced: more can go, and each release is tested. Make some: plimsoll events',
    );
  console.log(green(`Built in ${duration(ms)} below ${folder}.`));
  console.log('Next: plimsoll deploy --local, or plimsoll deploy');
}

const summary = ({ files: _files, modules: _modules, ...rest }: Manifest) => rest;

/** What went into an artifact and what was removed, with the reasons. */
function details(manifest: Manifest): string {
  const lines = [
    `${manifest.kind} ${manifest.name}: ${manifest.distributions.map(({ name, version }) => `${name} ${version}`).join(', ') || 'no distributions'}`,
    ...manifest.steps.flatMap(({ step, removed, putBack, note }) => [
      ...(note === undefined ? [] : [`  ${step}: nothing, since ${note}`]),
      ...removed.map(
        ({ distribution, reason, files, bytes }) =>
          `  ${step}: ${megabytes(bytes)} less in ${files} files of ${distribution}: ${reason}`,
      ),
      ...putBack.map(({ path, broke }) => `  ${step}: put back ${path}, since without it ${broke}`),
    ]),
    ...manifest.imports.map(({ module, ms }) => `  import ${module}: ${duration(ms)}`),
    ...manifest.notes.map((note) => `  note: ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

export function buildCommand(): Command {
  return withProjectOptions(new Command('build'))
    .description('build, trim and prove all layers and functions on this machine, without any AWS')
    .option(
      '--verbose',
      'say of each artifact what was removed and why, and how long its imports take',
      false,
    )
    .option('--layers-only', 'leave the functions out', false)
    .addOption(modeOption())
    .addOption(lazyOption())
    .option('--clean', 'resolve and build everything anew', false)
    .option('--skip-validation', 'do not check the budgets', false)
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(build);
}
