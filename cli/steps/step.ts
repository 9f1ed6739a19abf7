import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExternalLayers, externalTrees } from '../../core/build/external.ts';
import { adoptIndexes } from '../../core/build/indexes.ts';
import { isOnPath } from '../../core/build/on-path.ts';
import { type BuildContext, buildFunction, buildLayer } from '../../core/build/planned.ts';
import { resolveSets } from '../../core/build/resolve.ts';
import type { Built } from '../../core/build/seal.ts';
import { Wheels } from '../../core/build/wheels.ts';
import { externalsIn, wheelsIn } from '../../core/build/workspace.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { decide, type ProvenUnit } from '../../core/optimise/decide.ts';
import { noEchoIn } from '../../core/project/no-echo.ts';
import { loadProject } from '../../core/project/project.ts';
import { rejectUnreleasable } from '../../core/project/releasable.ts';
import { rejectUnbuilt, withoutUnbuilt } from '../../core/project/unbuilt.ts';
import type { PlannedArtifact } from '../../core/release/build-plan.ts';
import {
  isDecided,
  planProject,
  withDecisions,
  withLongestBake,
  withProcessors,
} from '../../core/release/plan.ts';
import { keys } from '../../core/release/release.ts';
import type { Resolve } from '../../core/release/resolution.ts';
import { megabytes } from '../../core/size/report.ts';
import { Remote } from './remote.ts';
import { Templates } from './templates.ts';

/** What a CodeBuild project of the pipeline does. */
export const STEPS = ['resolve', 'optimise', 'layer', 'functions'] as const;
export type Step = (typeof STEPS)[number];

const say = (line: string) => console.log(line);

/** Where a build keeps copies of the runtime's own packages. */
const runtimesIn = (workdir: string) => join(workdir, 'runtimes');

/**
 * Resolves, writes the plan and the template, and goes on to all that an optimising build does: one start of CodeBuild is a
 * whole release then. Not so where the input gives a secret, which stands in the environment of this build: no code of the
 * project is run beside it, and the state machine starts a build without it.
 */
async function resolve(remote: Remote, workdir: string): Promise<void> {
  const { release } = remote;
  const root = await remote.fetchProject(workdir);
  const loaded = await loadProject(root, { parameters: release.parameters });
  rejectUnreleasable(loaded);
  const project = remote.rights.unbuilt === 'stub' ? withoutUnbuilt(loaded, isOnPath) : loaded;
  if (project === loaded) rejectUnbuilt(project);
  for (const { logicalId, why } of project.unbuilt) say(`${logicalId} is not built: ${why}`);
  await adoptIndexes(root, project.requirementFiles);
  const wheels = new Wheels(wheelsIn(workdir));
  const withWheels: Resolve = (sets, target, constraints, preferred) =>
    resolveSets(sets, target, constraints, preferred, wheels);
  const layers = new ExternalLayers(project, {
    folder: externalsIn(workdir),
    wheels: wheels.folder,
    resolve: withWheels,
    read: remote.readLayer,
    store: remote.storeLayer,
    onStep: say,
  });
  const planned = await planProject(project, withWheels, layers.of);
  const plan = withProcessors(withLongestBake(planned, remote.longestBake), remote.processors);
  await remote.storeWheels(plan, wheels.folder);
  await remote.writeText(
    keys.template(release),
    JSON.stringify(await new Templates(project, plan, remote, workdir, say).main()),
  );
  await remote.writeText(keys.plan(release), JSON.stringify(plan));
  for (const layer of plan.layers) {
    const list = layer.distributions.map(({ name, version }) => `${name}==${version}`).join(', ');
    const what = layer.foreign ? 'built by others' : list || 'files only';
    say(`layer ${layer.name} (wave ${layer.wave}): ${what}`);
  }
  const secrets = noEchoIn(project.template.document).filter((name) =>
    Object.hasOwn(release.parameters, name),
  );
  if (secrets.length > 0)
    say(`parameter ${secrets.join(', ')} is NoEcho and given: the project's code runs in another build`);
  else await optimise(remote, workdir, { root, plan });
}

/**
 * What installing and importing need: the indexes that the project names, the wheels that were built for it, layers of others.
 * @returns the trees of these layers, by their ids
 */
async function ready(
  remote: Remote,
  workdir: string,
  { root, plan }: Pick<BuildContext, 'root' | 'plan'>,
): Promise<BuildContext['externals']> {
  await adoptIndexes(root, plan.requirementFiles);
  await remote.fetchWheels(plan, wheelsIn(workdir));
  const context = { root, folder: externalsIn(workdir), wheels: wheelsIn(workdir) };
  return externalTrees(plan.externals, context, remote.fetchLayer);
}

/** Decides what can go from every artifact, where that is not known yet, and builds those that are not in the bucket. */
async function optimise(
  remote: Remote,
  workdir: string,
  { root, plan }: Pick<BuildContext, 'root' | 'plan'>,
): Promise<void> {
  const key = keys.decisions(plan.decisionsKey);
  if (isDecided(plan) || (await remote.exists(key))) return;
  const externals = await ready(remote, workdir, { root, plan });
  const { decisions, units } = await decide({
    root,
    plan,
    externals,
    workdir: join(workdir, 'optimise'),
    runtimes: runtimesIn(workdir),
    wheels: wheelsIn(workdir),
    onStep: say,
  });
  await remote.writeText(key, JSON.stringify(decisions));
  for (const [name, { steps }] of Object.entries({ ...decisions.layer, ...decisions.function })) {
    for (const { step, putBack } of steps)
      for (const { path, broke } of putBack) say(`${name}: ${step}: put back ${path}: ${broke}`);
    for (const { step, note } of steps)
      if (note !== undefined) say(`${name}: ${step}: nothing, since ${note}`);
  }
  await buildDecided(remote, workdir, { root, plan: withDecisions(plan, decisions), externals }, units);
}

/** Builds what was just decided and is not in the bucket, layers side by side: trees that are proven need none beneath them. */
async function buildDecided(
  remote: Remote,
  workdir: string,
  { root, plan, externals }: Pick<BuildContext, 'root' | 'plan' | 'externals'>,
  units: readonly ProvenUnit[],
): Promise<void> {
  const build = async (
    kind: 'layer' | 'function',
    planned: PlannedArtifact,
    make: (context: BuildContext) => Promise<Built>,
  ) => {
    const { name, key } = planned;
    if (await remote.exists(keys.manifest(kind, name, key))) return;
    const context = await contextOf(workdir, kind, name, { root, plan, externals, trees: new Map() });
    const decided = units.find((unit) => unit.kind === kind && unit.name === name);
    const { manifest } = await make({ ...context, decided });
    await remote.upload(kind, planned, context.workdir);
    say(`${kind} ${name}: ${megabytes(manifest.bytes)} of ${megabytes(manifest.installedBytes)} installed`);
  };
  await Promise.all(
    plan.layers.map((layer) => build('layer', layer, (context) => buildLayer(layer, context))),
  );
  // There may be hundreds of them, each read into memory as it is sent.
  for (const fn of plan.functions) await build('function', fn, (context) => buildFunction(fn, context));
}

async function layer(remote: Remote, workdir: string, name: string): Promise<void> {
  const plan = await remote.readPlan();
  const planned = plan.layers.find((one) => one.name === name);
  if (!planned) throw new InvalidInputError(`ARTIFACT: the plan has no layer "${name}"`);
  const [root, trees] = await Promise.all([
    remote.fetchProject(workdir),
    remote.fetchLayers(
      plan.layers.filter((one) => planned.requires.includes(one.name)),
      workdir,
    ),
  ]);
  // A layer is proven with those that it requires alone.
  const externals = await ready(remote, workdir, { root, plan: { ...plan, externals: [] } });
  const context = await contextOf(workdir, 'layer', name, { root, plan, trees, externals });
  const { manifest } = await buildLayer(planned, context);
  await remote.upload('layer', planned, context.workdir);
  say(`layer ${name}: ${megabytes(manifest.bytes)} of ${megabytes(manifest.installedBytes)} installed`);
}

async function functions(remote: Remote, workdir: string): Promise<void> {
  const plan = await remote.readPlan();
  const present = await Promise.all(
    plan.functions.map((fn) => remote.exists(keys.manifest('function', fn.name, fn.key))),
  );
  const missing = plan.functions.filter((_, index) => !present[index]);
  const used = plan.layers.filter(({ name }) => missing.some((fn) => fn.layers.includes(name)));
  const [root, trees] = await Promise.all([remote.fetchProject(workdir), remote.fetchLayers(used, workdir)]);
  const externals = await ready(remote, workdir, { root, plan });
  for (const fn of missing) {
    const context = await contextOf(workdir, 'function', fn.name, { root, plan, trees, externals });
    const { manifest } = await buildFunction(fn, context);
    await remote.upload('function', fn, context.workdir);
    say(`function ${fn.name}: ${megabytes(manifest.bytes)}`);
  }
}

async function contextOf(
  workdir: string,
  kind: 'layer' | 'function',
  name: string,
  rest: Pick<BuildContext, 'root' | 'plan' | 'trees' | 'externals'>,
): Promise<BuildContext> {
  const folder = join(workdir, 'artifacts', kind, name);
  await mkdir(folder, { recursive: true });
  return {
    ...rest,
    workdir: folder,
    runtimes: runtimesIn(workdir),
    wheels: wheelsIn(workdir),
    onStep: (step) => say(`${name}: ${step}`),
  };
}

/**
 * Does one build of a release, from the environment that StartBuild set, and leaves the reason in the artifact bucket
 * when it fails. @throws what the build throws
 */
export async function runStep(step: Step, artifact: string | undefined): Promise<void> {
  const remote = Remote.fromEnvironment();
  const workdir = await mkdtemp(join(tmpdir(), `plimsoll-${step}-`));
  try {
    if (step === 'resolve') await resolve(remote, workdir);
    else if (step === 'optimise')
      await optimise(remote, workdir, {
        root: await remote.fetchProject(workdir),
        plan: await remote.readPlan(),
      });
    else if (step === 'functions') await functions(remote, workdir);
    else if (artifact) await layer(remote, workdir, artifact);
    else throw new InvalidInputError('environment variable ARTIFACT is not set; it names the layer to build');
  } catch (error) {
    await remote.reportFailure(step === 'layer' ? `layer-${artifact}` : step, error);
    throw error;
  } finally {
    await rm(workdir, { recursive: true, force: true });
  }
}
