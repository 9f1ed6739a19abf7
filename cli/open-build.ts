import { join, resolve } from 'node:path';
import { Option } from 'commander';
import { rememberingResolver } from '../core/build/resolve.ts';
import { rememberedPlan, Workspace } from '../core/build/workspace.ts';
import { PrerequisiteError } from '../core/errors.ts';
import { type Mode, modeSchema } from '../core/optimise/decisions.ts';
import { buildFolder } from '../core/project/files.ts';
import { loadProject, type Project } from '../core/project/project.ts';
import type { BuildPlan } from '../core/release/build-plan.ts';
import { planProject } from '../core/release/plan.ts';
import type { SizeReport } from '../core/size/report.ts';
import { BUILD_FOLDER, measureAll } from './measure.ts';

/** What the command line says over plimsoll.yaml. */
export interface Overrides {
  mode?: Mode;
  lazy?: boolean;
}

export const modeOption = (): Option =>
  new Option('--mode <mode>', 'how far to trim; over plimsoll.yaml').choices(modeSchema.options);
export const lazyOption = (): Option =>
  new Option('--lazy', 'put off imports that no event uses, where that proves safe; over plimsoll.yaml');

/** A project as it is now, with what the command line says otherwise. @throws ProjectError, TemplateError */
export async function openProject(root: string, { mode, lazy }: Overrides): Promise<Project> {
  const project = await loadProject(root);
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
export const planIn = (project: Project, folder: string): Promise<BuildPlan> =>
  planProject(project, rememberingResolver(join(folder, 'resolutions')));

export interface Opened {
  root: string;
  folder: string;
  plan: BuildPlan;
  workspace: Workspace;
  report: SizeReport;
}

/** What was built last, as the project is now. @throws PrerequisiteError where it was not built */
export async function openBuild(project: string, overrides: Overrides): Promise<Opened> {
  const root = resolve(project);
  const folder = await workFolder(root);
  const planned = await planIn(await openProject(root, overrides), folder);
  const plan = await rememberedPlan(planned, folder);
  if (!plan) throw new PrerequisiteError(`${root} is not built as it is now; run: plimsoll build`);
  const workspace = new Workspace(root, plan, folder, { step: () => {}, done: () => {} });
  await workspace.open();
  return { root, folder, plan, workspace, report: await measureAll(plan, workspace) };
}
