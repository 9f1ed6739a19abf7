import { join } from 'node:path';
import { isLeftover, totalBytes } from '../core/build/tree.ts';
import { writeZip, type ZipResult } from '../core/build/zip.ts';
import { ProjectError } from '../core/errors.ts';
import { listSources } from '../core/project/sources.ts';
import { PROJECT_LIMITS } from '../core/size/limits.ts';
import { megabytes } from '../core/size/report.ts';

/**
 * Zips a project as the pipeline takes it: everything but what developers' tools leave behind. The zip holds no links: what
 * they lead to in the project is in their place. Others are left out; no artifact takes from them (loadProject rejects it).
 * @throws ProjectError
 */
export async function packProject(root: string, workdir: string): Promise<ZipResult & { path: string }> {
  const files = listSources(root, '', (name) => isLeftover(name) || name === 'cdk.out');
  const bytes = totalBytes(files);
  if (files.length > PROJECT_LIMITS.entries || bytes > PROJECT_LIMITS.bytes) {
    throw new ProjectError(
      `${root}: ${files.length} files of ${megabytes(bytes)}; at most ${PROJECT_LIMITS.entries} files of ${megabytes(PROJECT_LIMITS.bytes)} are uploaded. Move data and virtual environments out of the project.`,
    );
  }
  const path = join(workdir, 'project.zip');
  return {
    path,
    ...(await writeZip(
      root,
      files.map((file) => file.path),
      path,
    )),
  };
}
