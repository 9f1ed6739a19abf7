import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { Listr } from 'listr2';
import { canRun } from '../../core/build/artifact.ts';
import { importModules } from '../../core/build/imports.ts';
import { findPython } from '../../core/build/uv.ts';
import {
  decidedPlan,
  findBuilt,
  rememberedDecisions,
  rememberedPlan,
  type WorkspaceArtifact,
  wasBuilt,
} from '../../core/build/workspace.ts';
import { BudgetExceededError, ImportCheckError, PrerequisiteError } from '../../core/errors.ts';
import { ownValue } from '../../core/project/intrinsics.ts';
import type { BuildPlan, PlannedLayer } from '../../core/release/build-plan.ts';
import { withRequired } from '../../core/release/plan.ts';
import { megabytes } from '../../core/size/report.ts';
import { lazyOption, modeOption, type Overrides, openProject, planIn, workFolder } from '../open-build.ts';
import { heavyTable, stepsTable } from '../show/optimised.ts';
import { rendererOf } from '../show/renderer.ts';
import { dim, duration, green, red, table } from '../show/table.ts';
import { build, refuseUnknownLayers } from './build.ts';
import { composeLayers } from './compose.ts';
import { withProjectOptions } from './options.ts';

interface Options extends Overrides {
  json: boolean;
}

/** `all`, or one layer. */
const wanted = (name: string): string[] | undefined => (name === 'all' ? undefined : [name]);

function pick({ layers }: BuildPlan, name: string): PlannedLayer[] {
  return layers.filter((layer) => name === 'all' || layer.name === name);
}

/** The plan of the project as it is now, with what the optimiser has decided for it, if it has. */
async function openPlan(options: Options): Promise<{ root: string; folder: string; plan: BuildPlan }> {
  const project = await openProject(options);
  const { root } = project;
  const folder = await workFolder(root);
  const planned = await planIn(project, folder);
  return { root, folder, plan: (await rememberedPlan(planned, folder)) ?? planned };
}

async function buildLayers(name: string, options: Options & { verbose: boolean }): Promise<void> {
  const only = wanted(name);
  await build({
    ...options,
    layersOnly: true,
    clean: false,
    skipValidation: false,
    ...(only ? { only } : {}),
  });
}

async function optimizeLayers(name: string, options: Options): Promise<void> {
  const project = await openProject(options);
  const { root } = project;
  const folder = await workFolder(root);
  const plan = await planIn(project, folder);
  refuseUnknownLayers(wanted(name) ?? [], plan);
  await new Listr(
    [
      {
        title: 'Trace, trim and prove',
        task: async (_context, task) => {
          const begin = performance.now();
          const { reused } = await decidedPlan(root, plan, folder, (step) => {
            task.output = step;
          });
          const how = reused ? 'unchanged' : duration(performance.now() - begin);
          task.title = `Trace, trim and prove ${dim(`${plan.mode}, ${how}`)}`;
        },
      },
    ],
    rendererOf(options.json),
  ).run();
  const decisions = await rememberedDecisions(plan, folder);
  if (!decisions) throw new Error('the optimiser has left no decisions');
  const names = new Set(pick(plan, name).map((layer) => layer.name));
  const layers = Object.fromEntries(Object.entries(decisions.layer).filter(([layer]) => names.has(layer)));
  if (options.json) {
    const { heavyImports } = decisions;
    console.log(JSON.stringify({ mode: plan.mode, lazy: plan.lazy, layers, heavyImports }));
    return;
  }
  console.log(`\n${stepsTable(layers)}`);
  if (decisions.heavyImports.length > 0)
    console.log(
      `\nImports that take most of the start, of modules of which no Python code ran in an event:\n\n${heavyTable(decisions.heavyImports)}`,
    );
  console.log(`\n${nextStep(plan, options)}`);
}

/** What to do with what has been seen. */
function nextStep(plan: BuildPlan, { mode, lazy }: Overrides): string {
  const settings = [
    ...(mode === undefined ? [] : [`mode: ${mode}`]),
    ...(lazy === undefined ? [] : [`lazy: ${lazy}`]),
  ];
  if (settings.length > 0)
    return `To keep it so, write into plimsoll.yaml: optimise: { ${settings.join(', ')} }\nNext: plimsoll build`;
  if (plan.mode === 'rules')
    return 'A smoke event for each function lets more go: a JSON file in its folder smoke/.\nNext: plimsoll build';
  return plan.lazy
    ? 'Next: plimsoll build'
    : 'To put off what can be put off: plimsoll layers optimize --lazy\nNext: plimsoll build';
}

interface Verdict {
  layer: string;
  bytes: number;
  budget: number | null;
  withinBudget: boolean;
  zipIntact: boolean;
  /** null where this machine cannot run the target's code. */
  failedImports: string[] | null;
}

async function judge(
  layer: PlannedLayer,
  plan: BuildPlan,
  artifacts: ReadonlyMap<string, WorkspaceArtifact>,
  root: string,
): Promise<Verdict> {
  const artifact = artifacts.get(layer.name);
  if (!artifact) throw new Error(`layer ${layer.name} was not looked for`);
  const { manifest, folder } = artifact;
  const budget = ownValue(plan.budgets.layers, layer.name);
  const sha256 = createHash('sha256')
    .update(await readFile(join(folder, 'layer.zip')))
    .digest('hex');
  const pathOf = (name: string) => join(artifacts.get(name)?.folder ?? '', 'tree', 'python');
  const results = canRun(layer.target)
    ? await importModules({
        interpreter: await findPython(layer.target.python, root),
        paths: [layer.name, ...layer.requires].map(pathOf),
        modules: manifest.modules,
      })
    : undefined;
  return {
    layer: layer.name,
    bytes: manifest.bytes,
    budget: budget ?? null,
    withinBudget:
      budget === undefined ||
      manifest.bytes < budget ||
      plan.budgets.byDefault.includes(`layers.${layer.name}`),
    zipIntact: sha256 === manifest.zip.sha256,
    failedImports:
      results?.filter(({ kind }) => kind === 'import').map(({ module, error }) => `${module}: ${error}`) ??
      null,
  };
}

async function validateLayers(name: string, options: Options): Promise<void> {
  const { root, folder, plan } = await openPlan(options);
  refuseUnknownLayers(wanted(name) ?? [], plan);
  const chosen = pick(plan, name);
  const needed = withRequired(plan.layers, wanted(name));
  const artifacts = new Map<string, WorkspaceArtifact>();
  for (const layer of plan.layers.filter((one) => needed.has(one.name))) {
    const built = layer.decisions ? await findBuilt(folder, 'layer', layer) : undefined;
    if (!built)
      throw new PrerequisiteError(
        `layer ${layer.name} is not built as the project is now; run: plimsoll layers build ${name}`,
      );
    artifacts.set(layer.name, built);
  }
  const verdicts = await Promise.all(chosen.map((layer) => judge(layer, plan, artifacts, root)));
  if (options.json) console.log(JSON.stringify({ layers: verdicts }));
  else console.log(verdictTable(verdicts));
  const broken = verdicts.find(({ zipIntact }) => !zipIntact);
  if (broken)
    throw new PrerequisiteError(
      `layer ${broken.layer}: its zip is not what its manifest describes; build it anew: plimsoll build --clean`,
    );
  const failed = verdicts.flatMap(({ layer, failedImports }) =>
    (failedImports ?? []).map((one) => `${layer}: ${one}`),
  );
  if (failed.length > 0)
    throw new ImportCheckError(`${failed.join('; ')}. Add what is missing to its requirements.txt.`);
  const over = verdicts.filter(({ withinBudget }) => !withinBudget).map(({ layer }) => layer);
  if (over.length > 0)
    throw new BudgetExceededError(
      `${over.join(', ')} over budget; what takes the space: plimsoll size report. Or raise the budget in plimsoll.yaml: budgets.`,
    );
  if (!options.json) console.log(green('\nAll layers are within their budgets, intact, and import.'));
}

function verdictTable(verdicts: readonly Verdict[]): string {
  const mark = (ok: boolean, text: string) => (ok ? text : red(text));
  return table(
    [
      { title: 'layer' },
      { title: 'size', align: 'right' },
      { title: 'budget', align: 'right' },
      { title: 'zip' },
      { title: 'imports' },
    ],
    verdicts.map(({ layer, bytes, budget, withinBudget, zipIntact, failedImports }) => [
      layer,
      mark(withinBudget, megabytes(bytes)),
      budget === null ? '' : `< ${megabytes(budget)}`,
      mark(zipIntact, zipIntact ? 'intact' : 'changed'),
      failedImports === null
        ? 'not run here: other processor'
        : mark(
            failedImports.length === 0,
            failedImports.length === 0 ? 'all' : `${failedImports.length} fail`,
          ),
    ]),
  );
}

async function showStatus(name: string, options: Options): Promise<void> {
  const { folder, plan } = await openPlan(options);
  refuseUnknownLayers(wanted(name) ?? [], plan);
  const layers = await Promise.all(
    pick(plan, name).map(async (layer) => {
      const built = layer.decisions ? await findBuilt(folder, 'layer', layer) : undefined;
      const before = await wasBuilt(folder, 'layer', layer.name);
      return {
        layer: layer.name,
        state: built ? 'built' : before ? 'changed since it was built' : 'not built',
        bytes: built?.manifest.bytes ?? null,
        zipped: built?.manifest.zip.bytes ?? null,
        budget: ownValue(plan.budgets.layers, layer.name) ?? null,
        requires: layer.requires,
        distributions: layer.distributions.map((one) => `${one.name} ${one.version}`),
      };
    }),
  );
  if (options.json) {
    console.log(JSON.stringify({ layers }));
    return;
  }
  const size = (bytes: number | null) => (bytes === null ? '' : megabytes(bytes));
  console.log(
    table(
      [
        { title: 'layer' },
        { title: 'state' },
        { title: 'size', align: 'right' },
        { title: 'zipped', align: 'right' },
        { title: 'budget', align: 'right' },
        { title: 'needs' },
        { title: 'holds' },
      ],
      layers.map((one) => [
        one.layer,
        one.state,
        size(one.bytes),
        size(one.zipped),
        one.budget === null ? '' : `< ${megabytes(one.budget)}`,
        one.requires.join(', '),
        one.distributions.join(', '),
      ]),
    ),
  );
  if (layers.some(({ state }) => state !== 'built')) console.log('\nNext: plimsoll layers build');
}

function subcommand(name: string, description: string): Command {
  return withProjectOptions(new Command(name))
    .description(description)
    .argument('[layer]', 'name of one layer, or all', 'all')
    .addOption(modeOption())
    .addOption(lazyOption())
    .option('--json', 'print one JSON document', false);
}

export function layersCommand(): Command {
  return new Command('layers')
    .description('build, optimise, validate one layer or all, or see how they stand')
    .addCommand(
      subcommand('build', 'build layers, with what they need, and check their budgets')
        .option('--verbose', 'say of each layer what was removed and why', false)
        .action(buildLayers),
    )
    .addCommand(
      subcommand(
        'optimize',
        'see what can go, proven by the imports and the smoke events, and which imports cost much; nothing is built',
      ).action(optimizeLayers),
    )
    .addCommand(
      subcommand(
        'validate',
        'check budgets, zips and imports of what was built; ends with 1 where one fails',
      ).action(validateLayers),
    )
    .addCommand(subcommand('status', 'what is built, what has changed since').action(showStatus))
    .addCommand(
      withProjectOptions(new Command('compose'))
        .description(
          'propose a split into at most five layers that lets functions mount least, beside the split of today',
        )
        .addOption(modeOption())
        .addOption(lazyOption())
        .option('--json', 'print one JSON document', false)
        .action(composeLayers),
    );
}
