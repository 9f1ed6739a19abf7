import { CodeBuildClient, StopBuildCommand } from '@aws-sdk/client-codebuild';
import { z } from 'zod';
import { releaseSchema } from '../core/release/release.ts';
import { buildsOf } from './lib/builds.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({ release: releaseSchema });

interface Clients {
  codebuild: CodeBuildClient;
  /** Names of the pipeline's projects. */
  projects: readonly string[];
}

/**
 * Stops what still builds, or waits in the queue, for a release that has ended: Step Functions stops the build of a state
 * that it aborts by its best efforts only (developer guide, "Run a job (.sync)"). One that has ended meanwhile is left as
 * it is, so a retry does no harm.
 * @returns the builds' ids
 */
export async function stopBuilds(
  { release }: z.output<typeof inputSchema>,
  { codebuild, projects }: Clients,
): Promise<{ stopped: string[] }> {
  const builds = await buildsOf(release, projects, codebuild);
  const running = builds.flatMap(({ id, buildStatus }) =>
    id !== undefined && buildStatus === 'IN_PROGRESS' ? [id] : [],
  );
  await Promise.all(running.map((id) => codebuild.send(new StopBuildCommand({ id }))));
  return { stopped: running };
}

export const handler = lambdaHandler('StopBuilds', inputSchema, (input) =>
  stopBuilds(input, { codebuild: new CodeBuildClient(), projects: setting('BUILD_PROJECTS').split(',') }),
);
