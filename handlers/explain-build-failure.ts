import { CloudWatchLogsClient, GetLogEventsCommand } from '@aws-sdk/client-cloudwatch-logs';
import { BatchGetBuildsCommand, type Build, CodeBuildClient } from '@aws-sdk/client-codebuild';
import { S3Client } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { failureClass } from '../core/error-names.ts';
import { BuildFailedError, BuildQuotaError } from '../core/errors.ts';
import {
  accountLimit,
  type BuildRecord,
  describeBuild,
  LAST_LINES,
  NO_BUILDS,
  secondsToWait,
} from '../core/release/build-failure.ts';
import { buildFailureSchema, keys, releaseSchema } from '../core/release/release.ts';
import { ArtifactBucket } from './lib/artifact-bucket.ts';
import { buildsOf, variableOf } from './lib/builds.ts';
import { lambdaHandler, setting } from './lib/handler.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** The build's name: resolve, layer-NAME or functions. */
  step: z.string(),
  /** Of the state that started it; the cause is the build's record as JSON where it began. */
  error: z.object({ Error: z.string().optional(), Cause: z.string().optional() }),
});
type Input = z.output<typeof inputSchema>;

interface Clients {
  bucket: ArtifactBucket;
  codebuild: CodeBuildClient;
  logs: CloudWatchLogsClient;
  /** Names of the pipeline's projects. */
  projects: readonly string[];
  /** Says what people may read in the state's log. */
  say(text: string): void;
  /** ms since 1970. */
  now(): number;
  random(): number;
}

/** Start the build again after so many seconds. */
interface Again {
  waitSeconds: number;
}

/** PROJECT:UUID, in a record that Step Functions may have cut off. */
const BUILD_ID = /"Id"\s*:\s*"([\w-]+:[\w-]+)"/;

const LAYER = 'layer-';

/** The build that failed: by its record, else, where the state ran out of time, the newest of the release that is like it. */
async function findBuild({ release, step, error }: Input, clients: Clients): Promise<Build | undefined> {
  const { codebuild, projects } = clients;
  const [, id] = BUILD_ID.exec(error.Cause ?? '') ?? [];
  if (id !== undefined) {
    const { builds = [] } = await codebuild.send(new BatchGetBuildsCommand({ ids: [id] }));
    return builds[0];
  }
  if (error.Error !== 'States.Timeout') return undefined;
  const artifact = step.startsWith(LAYER) ? step.slice(LAYER.length) : undefined;
  const builds = await buildsOf(release, projects, codebuild);
  return builds.find(
    (build) => build.buildStatus !== 'SUCCEEDED' && variableOf(build, 'ARTIFACT') === artifact,
  );
}

function recordOf({ id = '', buildStatus, phases = [], logs }: Build): BuildRecord {
  return {
    id,
    status: buildStatus ?? 'unknown',
    phases: phases.map(({ phaseType = '', phaseStatus, contexts = [] }) => ({
      type: phaseType,
      status: phaseStatus,
      contexts: contexts.map(({ statusCode, message }) => ({ code: statusCode, message })),
    })),
    log: { group: logs?.groupName, stream: logs?.streamName, link: logs?.deepLink },
  };
}

/** The end of a build's log; empty where there is none, or it cannot be read: the reason is worth more than its log. */
async function lastLines({ log }: BuildRecord, { logs, say }: Clients): Promise<string[]> {
  if (log.group === undefined || log.stream === undefined) return [];
  try {
    const { events = [] } = await logs.send(
      new GetLogEventsCommand({
        logGroupName: log.group,
        logStreamName: log.stream,
        limit: LAST_LINES,
        startFromHead: false,
      }),
    );
    return events.map(({ message = '' }) => message);
  } catch (error) {
    say(`the log of the build cannot be read: ${error}`);
    return [];
  }
}

/**
 * Fails under the name, and with the message, that the build left; where it left none, with what CodeBuild and its log
 * say. A build that found no room in the account is to be started again, unless there will never be room.
 * @throws BuildQuotaError, BuildFailedError, and whatever the build threw
 */
export async function explainBuildFailure(input: Input, clients: Clients): Promise<Again> {
  const { release, step, error } = input;
  const limit = accountLimit(error);
  if (limit === 0) throw new BuildQuotaError(`build ${step}: ${NO_BUILDS}`);
  if (limit !== undefined) {
    const elapsed = (clients.now() - Date.parse(release.startedAt)) / 1000;
    const waitSeconds = secondsToWait(elapsed, clients.random());
    clients.say(
      `build ${step} waits ${waitSeconds} s for other builds of the account to end: ${error.Cause ?? error.Error}`,
    );
    return { waitSeconds };
  }
  const key = keys.failure(release, step);
  if (await clients.bucket.head(key)) {
    const { name, message } = await clients.bucket.readJson(key, buildFailureSchema);
    const Named = failureClass(name);
    throw Named ? new Named(message) : new BuildFailedError(`build ${step}: ${name}: ${message}`);
  }
  const build = await findBuild(input, clients);
  if (!build)
    throw new BuildFailedError(
      `build ${step} did not run: ${[error.Error, error.Cause]
        .filter((text) => text)
        .join(': ')
        .slice(0, 1000)}`,
    );
  const record = recordOf(build);
  throw new BuildFailedError(describeBuild(step, record, await lastLines(record, clients)));
}

export const handler = lambdaHandler('ExplainBuildFailure', inputSchema, (input, { logger }) =>
  explainBuildFailure(input, {
    bucket: new ArtifactBucket(new S3Client(), setting('ARTIFACT_BUCKET')),
    codebuild: new CodeBuildClient(),
    logs: new CloudWatchLogsClient(),
    projects: setting('BUILD_PROJECTS').split(','),
    say: (text) => logger.warn(text),
    now: Date.now,
    random: Math.random,
  }),
);
