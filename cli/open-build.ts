import { join } from 'node:path';
import { Option } from 'commander';
import { ExternalLayers } from '../core/build/external.ts';
import { adoptIndexes } from '../core/build/indexes.ts';
import { isOnPath } from '../core/build/on-path.ts';
import { rememberingResolver } from '../core/build/resolve.ts';
import { Wheels } from '../core/build/wheels.ts';
import { externalsIn, rememberedPlan, Workspace, wheelsIn } from '../core/build/workspace.ts';
import { PrerequisiteError } from '../core/errors.ts';
import { type Mode, modeSchema } from '../core/optimise/decisions.ts';
import { buildFolder } from '../core/project/files.ts';
import { openProjectAt, type ProjectPlace } from '../core/project/open.ts';
import type { Project } from '../core/project/project.ts';
import { withoutUnbuilt } from '../core/project/unbuilt.ts';
import type { BuildPlan } from '../core/release/build-plan.ts';
import { planProject } from '../core/release/plan.ts';
import type { SizeReport } from '../core/size/report.ts';
import { BUILD_FOLDER, measureAll } from './measure.ts';

/** Which project, and what the command line says over its plimsoll.yaml. */
export interface Overrides extends ProjectPlace {
  parameter?: Record<string, string>;
  mode?: Mode;
  lazy?: boolean;
}

export const modeOption = (): Option =>
  new Option('--mode <mode>', 'how far to trim; over plimsoll.yaml').choices(modeSchema.options);
export const lazyOption = (): Option =>
  new Option('--lazy', 'put off imports that no event uses, where that proves safe; over plimsoll.yaml');

/** A project as it is now, with what the command line says otherwise. @throws ProjectError, TemplateError */
export async function openProject({ mode, lazy, parameter, ...place }: Overrides): Promise<Project> {
  const { project: whole } = await openProjectAt(place, parameter);
  const project = withoutUnbuilt(whole, isOnPath);
  await adoptIndexes(project.root, project.requirementFiles);
  const optimise = {
    ...project.config.optimise,
    ...(mode === undefined ? {} : { mode }),
    ...(lazy === undefined ? {} : { lazy }),
  };
  return { ...project, config: { ...project.config, optimise } };
}

/** Where a project is built; it need not be there yet. @throws ProjectError where a link or a file is in the way */
export const workFolder = (root: string): Promise<string> => buildFolder(root, BUILD_FOLDER);

/** The plan of a project, with the resolution that lies in its build folder as long as nothing has changed. */
export const planIn = (project: Project, folder: string): Promise<BuildPlan> => {
  const wheels = wheelsIn(folder);
  const resolve = rememberingResolver(join(folder, 'resolutions'), new Wheels(wheels));
  const layers = new ExternalLayers(project, { folder: externalsIn(folder), wheels, resolve });
  return planProject(project, resolve, layers.of);
};

export interface Opened {
  root: string;
  folder: string;
  plan: BuildPlan;
  workspace: Workspace;
  report: SizeReport;
}

/** What was built last, as the project is now. @throws PrerequisiteError where it was not built */
export async function openBuild(overrides: Overrides): Promise<Opened> {
  const project = await openProject(overrides);
  const { root } = project;
  const folder = await workFolder(root);
  const planned = await planIn(project, folder);
  const plan = await rememberedPlan(planned, folder);
  if (!plan) throw new PrerequisiteError(`${root} is not built as it is now; run: plimsoll build`);
  const workspace = new Workspace(root, plan, folder, { step: () => {}, done: () => {} });
  await workspace.open();
  return { root, folder, plan, workspace, report: await measureAll(plan, workspace) };
}
