import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { LOCKS, OF_UV, REQUIREMENTS } from '../build/dependencies.ts';
import { readRequirements } from '../build/requirements.ts';
import type { Target } from '../build/resolve.ts';
import { isLeftover } from '../build/tree.ts';
import { MissingFileError, OutsideProjectError, type PlimsollError, ProjectError } from '../errors.ts';
import { whyTooLong } from '../release/limits.ts';
import {
  CONFIG_FILE,
  describeIssues,
  type ProjectConfig,
  readConfig,
  type Traffic,
  trafficOf,
} from './config.ts';
import { ifThere, parseJson, REPLACED, readProjectFile, refuseLinkOutside } from './files.ts';
import { withIncludes } from './include.ts';
import { type Later, withFiles } from './inline.ts';
import { objectOf } from './intrinsics.ts';
import { refuseUnusedStandIns } from './layer-list.ts';
import { allNested, type NestedTemplate, readNested, withLayersOfOutputs } from './nested.ts';
import { pathInProject } from './path.ts';
import { slowest } from './preference.ts';
import { listSources, rejectLink } from './sources.ts';
import { type LayerTarget, mainTarget, targetOfLayer } from './target.ts';
import {
  type ProjectTemplate,
  readTemplate,
  type TemplateFunction,
  type TemplateLayer,
  withDistinctNames,
} from './template.ts';
import type { Unbuilt } from './unbuilt.ts';
import { uploadsOf } from './uploads.ts';
import { parseTemplate } from './yaml.ts';

/** Folder beside a function's code that holds its smoke events; it is not shipped. */
export const SMOKE_FOLDER = 'smoke';
const MAX_SMOKE_EVENT_BYTES = 200_000;
const AT_ONCE: Traffic = { steps: [{ percent: 100, bakeSeconds: 0 }], alarms: [] };

/** One invocation that a deployed function must answer as expected. */
export interface SmokeEvent {
  name: string;
  event: unknown;
  /** What the answer must hold at least; undefined: any answer without an error. */
  expect?: unknown;
}

export interface ProjectLayer extends TemplateLayer, LayerTarget {
  /** What says its requirements, relative to the project: see readDependencies; undefined for a layer of plain files. */
  requirements?: string;
}

export interface ProjectFunction extends TemplateFunction {
  requirements?: string;
  smoke: SmokeEvent[];
}

/** A SAM project as read from its folder. Paths are relative to `root`. */
export interface Project {
  root: string;
  /** Folder of its plimsoll.yaml and samconfig: empty, but where the project is the git repository around it. */
  home: string;
  templateFile: string;
  /** Values of the template's parameters that are not its defaults. */
  parameters: Record<string, string>;
  template: ProjectTemplate;
  /** The templates that it nests. */
  nested: NestedTemplate[];
  /** What is no reason not to build, as for `sam build`, and one not to release. */
  unreleasable: readonly PlimsollError[];
  /** Functions that no build of ours can build; they are in none of the lists below. */
  unbuilt: readonly Unbuilt[];
  /** What of the templates does not count here, for people. */
  remarks: readonly string[];
  traffic: Traffic;
  /** The requirements.txt of its layers and functions. */
  requirementFiles: string[];
  config: ProjectConfig;
  /** Of all templates. */
  layers: ProjectLayer[];
  functions: ProjectFunction[];
  /** What most functions run on: for what belongs to none of them. */
  target: Target;
}

const smokeSchema = z.strictObject({ event: z.unknown(), expect: z.unknown().optional() });

/** A folder of the project, or an archive where one is to be deployed. @throws ProjectError */
async function placeOf(
  root: string,
  path: string,
  where: string,
  { foreign }: Pick<TemplateFunction, 'foreign'>,
): Promise<string> {
  const isArchive = foreign !== undefined && 'archive' in foreign;
  const place = pathInProject('', path);
  if (place === undefined && isArchive)
    throw new MissingFileError(`${where}: ${path} is outside the project; put the file into it`);
  if (place === undefined)
    throw new OutsideProjectError(
      `${where}: ${path} is outside the project\n  Name the project's folder, or make it a git repository: --project FOLDER --template PATH/template.yaml`,
    );
  await refuseLinkOutside(root, place, where);
  const info = await ifThere(stat(join(root, place)));
  if (isArchive ? !info?.isFile() : !info?.isDirectory())
    throw new (isArchive ? MissingFileError : ProjectError)(
      `${where}: there is no ${isArchive ? 'file' : 'folder'} ${path}; create it or correct the template`,
    );
  if (foreign === undefined) listSources(root, place, isLeftover, rejectLink);
  return place;
}

/** What is there. An archive that is not is no reason not to build the rest. */
async function present<T>(read: readonly Promise<T>[], later: Later): Promise<T[]> {
  const found = await Promise.all(
    read.map((one) =>
      one.then(
        (value) => [value],
        (error) => {
          if (!(error instanceof MissingFileError)) throw error;
          later(error);
          return [];
        },
      ),
    ),
  );
  return found.flat();
}

/** The first file there that says what a folder depends on. */
async function requirementsOf(
  root: string,
  folder: string,
  usesUv: boolean,
): Promise<{ requirements?: string }> {
  for (const name of usesUv ? [...OF_UV, REQUIREMENTS] : [REQUIREMENTS, ...LOCKS]) {
    const path = join(folder, name);
    await refuseLinkOutside(root, path);
    const info = await ifThere(stat(join(root, path)));
    if (info?.isFile()) return { requirements: path };
  }
  return {};
}

async function smokeEventsOf(root: string, codeUri: string): Promise<SmokeEvent[]> {
  const folder = join(codeUri, SMOKE_FOLDER);
  await refuseLinkOutside(root, folder);
  const names = ((await ifThere(readdir(join(root, folder)))) ?? [])
    .filter((name) => name.endsWith('.json'))
    .sort();
  return Promise.all(
    names.map(async (name) => {
      const file = join(folder, name);
      const text = (await readProjectFile(root, file, MAX_SMOKE_EVENT_BYTES)) ?? '';
      const parsed = smokeSchema.safeParse(parseJson(text, file));
      if (!parsed.success) {
        throw new ProjectError(`${file}: ${describeIssues(parsed.error)}; write {"event": …, "expect": …}`);
      }
      return { name: name.replace(/\.json$/, ''), ...parsed.data };
    }),
  );
}

/** As SAM looks for it: samcli/commands/_utils/options.py, get_or_default_template_file_name. */
const TEMPLATES = ['template.yaml', 'template.yml', 'template.json'];

async function findTemplate(
  root: string,
  home: string,
  named: string | undefined,
): Promise<{ file: string; text: string }> {
  const candidates = named === undefined ? TEMPLATES : [named];
  for (const name of candidates) {
    const file = join(home, name);
    const text = await readProjectFile(root, file);
    if (text !== undefined) return { file, text };
  }
  throw new ProjectError(
    named === undefined
      ? `${join(root, home)}: no ${TEMPLATES.slice(0, -1).join(', ')} or ${TEMPLATES.at(-1)} here; run this in the folder of a SAM project`
      : `${join(root, home, named)}: there is no such template\n  Correct --template, or template in ${CONFIG_FILE}.`,
  );
}

async function readLayer(
  root: string,
  file: string,
  layer: TemplateLayer,
): Promise<TemplateLayer & { requirements?: string }> {
  const where = `${file}: ${layer.logicalId}.ContentUri`;
  const contentUri = await placeOf(root, layer.contentUri, where, layer);
  return {
    ...layer,
    contentUri,
    ...(layer.foreign ? {} : await requirementsOf(root, contentUri, layer.usesUv)),
  };
}

async function readFunction(root: string, file: string, fn: TemplateFunction): Promise<ProjectFunction> {
  const codeUri = await placeOf(root, fn.codeUri, `${file}: ${fn.logicalId}.CodeUri`, fn);
  return {
    ...fn,
    codeUri,
    ...(fn.foreign || fn.isComplete ? {} : await requirementsOf(root, codeUri, fn.usesUv)),
    smoke: await smokeEventsOf(root, codeUri),
  };
}

/** Those of some values that a template declares a parameter for. */
function declaredIn(template: unknown, suggested: Readonly<Record<string, string>>): Record<string, string> {
  const declared = objectOf(objectOf(template)['Parameters']);
  return Object.fromEntries(Object.entries(suggested).filter(([name]) => Object.hasOwn(declared, name)));
}

export interface LoadOptions {
  /** Values of the template's parameters. @default their defaults */
  parameters?: Readonly<Record<string, string>>;
  /** Values of those among them that the template declares, where `parameters` has none. @default none */
  suggested?: Readonly<Record<string, string>>;
  /** The template, from `home`. @default of plimsoll.yaml, else the suggested one, else template.yaml, template.yml or template.json */
  template?: string;
  suggestedTemplate?: string;
  /** Folder of plimsoll.yaml, a path in the project. @default the project's own */
  home?: string;
}

/**
 * Reads a SAM project: template, plimsoll.yaml, requirements and smoke events.
 * @throws ProjectError, TemplateError, UnsupportedProjectError
 */
export async function loadProject(
  root: string,
  { parameters: given = {}, suggested = {}, template: named, suggestedTemplate, home = '' }: LoadOptions = {},
): Promise<Project> {
  if (root.includes(REPLACED)) throw new ProjectError(`${root}: the name is not UTF-8. Rename the folder.`);
  const config = await readConfig(root, home);
  const { file, text } = await findTemplate(root, home, named ?? config.template ?? suggestedTemplate);
  const written = parseTemplate(text, file);
  const parameters = { ...declaredIn(written, suggested), ...given };
  const unreleasable: PlimsollError[] = [];
  const later: Later = (error) => void unreleasable.push(error);
  const read = readTemplate(await withIncludes(root, file, written, parameters, later), file, parameters);
  const template = { ...read, document: await withFiles(root, file, read.document, read.scope, later) };
  const nested = await readNested(root, file, template, later);
  const all = [{ file, template, scope: template.scope }, ...allNested(nested)];
  for (const one of all) await uploadsOf(root, one.file, one.template.document, one.scope, later);
  const functions = await present(
    all.flatMap((one) =>
      withLayersOfOutputs(one.template.functions, nested).map((fn) => readFunction(root, one.file, fn)),
    ),
    later,
  );
  refuseUnusedStandIns(CONFIG_FILE, config, functions);
  const ours = functions.filter(({ foreign }) => !foreign);
  const target = mainTarget(ours);
  const declared = await present(
    all.flatMap((one) =>
      one.template.layers.map(async (layer) => {
        const users = ours.filter((fn) => fn.layers.includes(layer.logicalId));
        return { ...(await readLayer(root, one.file, layer)), ...targetOfLayer(layer, users, target) };
      }),
    ),
    later,
  );
  const layers = withDistinctNames(declared);
  const asking = [...layers, ...functions].flatMap(({ requirements }) => requirements ?? []);
  const files = [...new Set(asking)].filter((one) => basename(one) === REQUIREMENTS);
  const requirements = await Promise.all(files.map((one) => readRequirements(root, one)));
  const preferences = all.flatMap((one) => one.template.preferences);
  const traffic = trafficOf(config) ?? slowest(preferences) ?? AT_ONCE;
  const why = whyTooLong({ functions: functions.length, steps: traffic.steps });
  if (why !== undefined) throw new ProjectError(`${CONFIG_FILE}: traffic: ${why}`);
  return {
    root,
    home,
    templateFile: file,
    parameters,
    template,
    nested,
    unreleasable,
    unbuilt: all.flatMap(({ template: { images } }) =>
      images.map((logicalId) => ({ logicalId, why: 'a container image that is still to be built' })),
    ),
    remarks: [...preferences, ...requirements].flatMap(({ remarks }) => remarks),
    requirementFiles: files,
    traffic,
    config,
    layers,
    functions,
    target,
  };
}
