import { existsSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { InvalidInputError, OutsideProjectError } from '../errors.ts';
import { type LoadOptions, loadProject, type Project } from './project.ts';
import { readSamConfig } from './samconfig.ts';
import { nameOfFolder } from './stack-name.ts';

/** Where a person says that a project is. */
export interface ProjectPlace {
  /** Its folder. */
  project: string;
  /** Path of its template, from that folder. @default of plimsoll.yaml, of samconfig, else template.yaml */
  template?: string | undefined;
  /** Environment of samconfig. @default `default` */
  configEnv?: string | undefined;
}

export interface OpenedProject {
  project: Project;
  /** What it is called where plimsoll.yaml does not say it: as in samconfig, else after its folder. */
  stackName: string;
  /** Of samconfig. */
  region?: string;
}

/** The innermost folder upwards, this one included, that is a git repository; undefined where there is none. */
function gitRoot(folder: string): string | undefined {
  for (let one = folder; ; one = dirname(one)) {
    if (existsSync(join(one, '.git'))) return one;
    if (one === dirname(one)) return undefined;
  }
}

function templateIn(folder: string, template: string): string {
  const path = relative(folder, resolve(folder, template));
  if (isAbsolute(path) || path.split(sep).includes('..'))
    throw new InvalidInputError(
      `--template ${template}: is outside ${folder}\n  Give --project FOLDER, of which it is a part.`,
    );
  return path;
}

/** In its folder; or, where its template names folders above, in the git repository around it. */
async function load(folder: string, options: LoadOptions): Promise<Project> {
  try {
    return await loadProject(folder, options);
  } catch (error) {
    const root = error instanceof OutsideProjectError ? gitRoot(folder) : undefined;
    if (root === undefined || root === folder) throw error;
    return loadProject(root, { ...options, home: relative(root, folder) });
  }
}

/**
 * Reads the project in a folder, with what samconfig says of it.
 * @param given values of parameters, over those of samconfig
 * @throws ProjectError, TemplateError, UnsupportedProjectError, InvalidInputError
 */
export async function openProjectAt(
  place: ProjectPlace,
  given: Readonly<Record<string, string>> = {},
): Promise<OpenedProject> {
  const folder = resolve(place.project);
  const sam = await readSamConfig(folder, place.configEnv);
  const template = place.template === undefined ? undefined : templateIn(folder, place.template);
  const project = await load(folder, {
    parameters: given,
    suggested: sam.parameters,
    ...(template === undefined ? {} : { template }),
    ...(sam.template === undefined ? {} : { suggestedTemplate: sam.template }),
  });
  return {
    project,
    stackName: sam.stackName ?? nameOfFolder(folder),
    ...(sam.region === undefined ? {} : { region: sam.region }),
  };
}
