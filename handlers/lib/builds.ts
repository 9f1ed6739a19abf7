import {
  BatchGetBuildsCommand,
  type Build,
  type CodeBuildClient,
  ListBuildsForProjectCommand,
} from '@aws-sdk/client-codebuild';
import { z } from 'zod';
import type { Release } from '../../core/release/release.ts';

const startedSchema = z.object({ id: z.string(), stackName: z.string() });

/** The value of a variable with which a build was started. */
export const variableOf = (build: Build, variable: string): string | undefined =>
  build.environment?.environmentVariables?.find(({ name }) => name === variable)?.value;

/** Whether a build was started for the release: StartBuild puts it into the variable RELEASE. */
function isOf(build: Build, release: Pick<Release, 'id' | 'stackName'>): boolean {
  try {
    const { id, stackName } = startedSchema.parse(JSON.parse(variableOf(build, 'RELEASE') ?? ''));
    return id === release.id && stackName === release.stackName;
  } catch {
    return false;
  }
}

/**
 * The builds of a release, the newest of each project first. Looks at the newest 100 of each project, one page of
 * ListBuildsForProject and as many as BatchGetBuilds takes: a release has fewer, and a build is looked for soon after it
 * has begun.
 */
export async function buildsOf(
  release: Pick<Release, 'id' | 'stackName'>,
  projects: readonly string[],
  codebuild: CodeBuildClient,
): Promise<Build[]> {
  const found = await Promise.all(
    projects.map(async (projectName) => {
      const { ids = [] } = await codebuild.send(
        new ListBuildsForProjectCommand({ projectName, sortOrder: 'DESCENDING' }),
      );
      if (ids.length === 0) return [];
      const { builds = [] } = await codebuild.send(new BatchGetBuildsCommand({ ids: ids.slice(0, 100) }));
      return builds.filter((build) => isOf(build, release));
    }),
  );
  return found.flat();
}
