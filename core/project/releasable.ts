import { rejectUnbuildable } from './build-image.ts';
import type { Project } from './project.ts';

/**
 * Rejects a project that can be built here, and that the pipeline could not release.
 * @throws UnsupportedProjectError, MissingFileError naming the resource and what to do
 */
export function rejectUnreleasable(project: Project): void {
  const [first] = project.unreleasable;
  if (first) throw first;
  rejectUnbuildable(project);
}
