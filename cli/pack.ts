import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { isLeftover, totalBytes } from '../core/build/tree.ts';
import { writeZip, type ZipResult } from '../core/build/zip.ts';
import { ProjectError } from '../core/errors.ts';
import { CONFIG_FILE } from '../core/project/config.ts';
import { readProjectFile } from '../core/project/files.ts';
import { objectOf } from '../core/project/intrinsics.ts';
import type { Project } from '../core/project/project.ts';
import { listSources } from '../core/project/sources.ts';
import { parseYaml } from '../core/project/yaml.ts';
import { PROJECT_LIMITS } from '../core/size/limits.ts';
import { megabytes } from '../core/size/report.ts';

/** Where a project has its template, as it was read. */
type Found = Pick<Project, 'home' | 'templateFile' | 'config'>;

/** Whether the pipeline would find the same template by itself. */
const isFound = ({ home, templateFile, config }: Found): boolean =>
  home === '' && (config.template ?? 'template.yaml') === templateFile;

/** plimsoll.yaml of a project whose template a person has named, or that stands in a folder below: it says so in the zip. */
async function configWithTemplate(root: string, { home, templateFile }: Found): Promise<string> {
  const file = join(home, CONFIG_FILE);
  const text = (await readProjectFile(root, file)) ?? '';
  return stringify({ ...objectOf(parseYaml(text, file)), template: templateFile });
}

/**
 * Zips a project as the pipeline takes it: everything but what developers' tools leave behind. The zip holds no links: what
 * they lead to in the project is in their place. Others are left out; no artifact takes from them (loadProject rejects it).
 * @param found where its template is. Default: where the pipeline looks by itself
 * @throws ProjectError
 */
export async function packProject(
  root: string,
  workdir: string,
  found?: Found,
): Promise<ZipResult & { path: string }> {
  const files = listSources(root, '', (name) => isLeftover(name) || name === 'cdk.out');
  const bytes = totalBytes(files);
  if (files.length > PROJECT_LIMITS.entries || bytes > PROJECT_LIMITS.bytes) {
    throw new ProjectError(
      `${root}: ${files.length} files of ${megabytes(bytes)}; at most ${PROJECT_LIMITS.entries} files of ${megabytes(PROJECT_LIMITS.bytes)} are uploaded. Move data and virtual environments out of the project.`,
    );
  }
  const path = join(workdir, 'project.zip');
  const names = new Set(files.map((file) => file.path));
  const instead = new Map<string, string>();
  if (found && !isFound(found)) {
    const config = join(workdir, 'config', CONFIG_FILE);
    await mkdir(join(workdir, 'config'));
    await writeFile(config, await configWithTemplate(root, found));
    instead.set(CONFIG_FILE, config);
    names.add(CONFIG_FILE);
  }
  return { path, ...(await writeZip(root, [...names], path, instead)) };
}
