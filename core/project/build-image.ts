import { UnsupportedProjectError } from '../errors.ts';
import type { Project } from './project.ts';
import { pythonUsers } from './target.ts';

/**
 * The Python versions that CodeBuild's images of Amazon Linux have, the newest first. From the PYTHON_3xx_VERSION of their
 * Dockerfiles: github.com/aws/aws-codebuild-docker-images, commit 1590e48787084015430500926ea922130dbe9367 of 2026-04-09,
 * al/x86_64/standard/{5.0,6.0} and al/aarch64/standard/{3.0,4.0}.
 */
export const IMAGE_PYTHONS = {
  'aws/codebuild/amazonlinux-x86_64-standard:5.0': ['3.14', '3.13', '3.12', '3.11', '3.10', '3.9'],
  'aws/codebuild/amazonlinux-x86_64-standard:6.0': ['3.14', '3.13', '3.12', '3.11', '3.10'],
  'aws/codebuild/amazonlinux-aarch64-standard:3.0': ['3.14', '3.13', '3.12', '3.11', '3.10', '3.9'],
  'aws/codebuild/amazonlinux-aarch64-standard:4.0': ['3.14', '3.13', '3.12', '3.11', '3.10'],
} as const;

/** What uv brings to an image that does not have it: runtimes of Lambda that are older than its images. */
const FETCHED_PYTHONS = ['3.8'];

/** The image in which the pipeline builds. */
export const BUILD_IMAGE =
  'aws/codebuild/amazonlinux-x86_64-standard:5.0' satisfies keyof typeof IMAGE_PYTHONS;

/**
 * Rejects a project that the pipeline's builds can have no interpreter for.
 * @throws UnsupportedProjectError naming the runtime, and those that there are
 */
export function rejectUnbuildable(project: Project): void {
  const known: readonly string[] = [...IMAGE_PYTHONS[BUILD_IMAGE], ...FETCHED_PYTHONS];
  const users = pythonUsers(project).filter(({ python }) => !known.includes(python));
  const python = users[0]?.python;
  if (python === undefined) return;
  const names = users.filter((one) => one.python === python).map(({ logicalId }) => logicalId);
  throw new UnsupportedProjectError(
    `${project.templateFile}: Runtime python${python} (${names.join(', ')}): CodeBuild's image ${BUILD_IMAGE} has no Python ${python}\n  Set Runtime to one of ${known.map((version) => `python${version}`).join(', ')}.`,
  );
}
