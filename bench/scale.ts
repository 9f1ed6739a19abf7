/**
 * Releases many functions in nested stacks on the embedded AWS, twice: first all of them are new, then the code of each has
 * changed. Prints for each release the largest data that a state was given or gave, the events of the execution and the longest
 * call of a handler, and fails where one of them is near its limit. `npm run test:scale [-- STACKS FUNCTIONS_EACH]`
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  type HistoryEvent,
  paginateGetExecutionHistory,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { packProject } from '../cli/pack.ts';
import { LAMBDA_SECONDS, MAX_DATA_BYTES, MAX_EVENTS } from '../core/release/limits.ts';
import { EmbeddedAws } from '../local/embedded-aws.ts';
import { deployPipeline } from '../local/pipeline.ts';
import { manyFunctions } from '../test/support/many.ts';
import { writeProject } from '../test/support/project.ts';

// Node 20 is the floor of this project; what the SDK says of it is no news here.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
const [stacks = 10, functionsEach = 30] = process.argv.slice(2).map(Number);
/** Most of them, so that more are behind aliases than a template may have parameters. */
const aliasedEach = Math.ceil(functionsEach * 0.8);
const work = mkdtempSync(join(tmpdir(), 'plimsoll-bench-scale-'));
const aws = await EmbeddedAws.start({ folder: join(work, 'aws') });
Object.assign(process.env, aws.environment);
const s3 = new S3Client({ forcePathStyle: true });
const sfn = new SFNClient();
const pipeline = await deployPipeline(aws, join(work, 'aws'));

async function zipOf(version: number): Promise<Buffer> {
  const root = await writeProject(manyFunctions({ stacks, functionsEach, aliasedEach, version }));
  try {
    return readFileSync((await packProject(root, work)).path);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

async function release(stackName: string, zip: Buffer): Promise<string> {
  const key = `uploads/${stackName}.zip`;
  const { VersionId } = await s3.send(
    new PutObjectCommand({ Bucket: pipeline.SourceBucket, Key: key, Body: zip }),
  );
  const source = { bucket: pipeline.SourceBucket, key, versionId: VersionId };
  const { executionArn = '' } = await sfn.send(
    new StartExecutionCommand({
      stateMachineArn: pipeline.DeployMachine,
      input: JSON.stringify({ source, stackName }),
    }),
  );
  for (;;) {
    const { status, error, cause } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    if (status === 'SUCCEEDED') return executionArn;
    if (status !== 'RUNNING') throw new Error(`the release is ${status}: ${error}: ${cause}`);
    await sleep(1000);
  }
}

async function historyOf(executionArn: string): Promise<HistoryEvent[]> {
  const events: HistoryEvent[] = [];
  const request = { executionArn, maxResults: 1000, includeExecutionData: true };
  for await (const page of paginateGetExecutionHistory({ client: sfn }, request))
    events.push(...(page.events ?? []));
  return events;
}

/** JSON that a state or a task was given, or gave. */
const dataOf = (event: HistoryEvent): string =>
  event.stateEnteredEventDetails?.input ??
  event.stateExitedEventDetails?.output ??
  event.taskScheduledEventDetails?.parameters ??
  event.taskSucceededEventDetails?.output ??
  '';

interface Measured {
  what: string;
  value: number;
}
const most = (all: readonly Measured[]): Measured =>
  all.reduce((a, b) => (b.value > a.value ? b : a), { what: 'nothing', value: 0 });

/** @returns the figures of an execution, and what of them is beyond its limit */
function figures(events: readonly HistoryEvent[]): { lines: string[]; problems: string[] } {
  const byId = new Map(events.map((event) => [event.id, event]));
  const before = ({ previousEventId = 0 }: HistoryEvent) => byId.get(previousEventId);
  const stateOf = (event: HistoryEvent): string => {
    for (let at: HistoryEvent | undefined = event; at; at = before(at)) {
      const name = at.stateEnteredEventDetails?.name ?? at.stateExitedEventDetails?.name;
      if (name !== undefined) return name;
    }
    return 'the execution';
  };
  const data = events.map((event) => ({
    what: `${stateOf(event)}, ${event.type}`,
    value: Buffer.byteLength(dataOf(event)),
  }));
  const calls = events.flatMap((event) => {
    const started = before(event);
    const ofHandler = started?.taskStartedEventDetails?.resourceType === 'lambda';
    if (!started || !ofHandler) return [];
    const ms = (event.timestamp?.getTime() ?? 0) - (started.timestamp?.getTime() ?? 0);
    return [{ what: stateOf(event), value: ms / 1000 }];
  });
  const largest = most(data);
  const longest = most(calls);
  const seconds =
    ((events.at(-1)?.timestamp?.getTime() ?? 0) - (events[0]?.timestamp?.getTime() ?? 0)) / 1000;
  const lines = [
    `  largest state payload: ${largest.value} bytes (${largest.what}); limit ${MAX_DATA_BYTES}`,
    `  history events: ${events.length}; limit ${MAX_EVENTS}`,
    `  longest call of a handler: ${longest.value.toFixed(1)} s (${longest.what}) of ${calls.length}; limit ${LAMBDA_SECONDS} s`,
    `  the execution took ${seconds.toFixed(0)} s`,
  ];
  const checks: [string, number, number][] = [
    ['state payload', largest.value, MAX_DATA_BYTES],
    ['history events', events.length, MAX_EVENTS],
    ['call of a handler', longest.value, LAMBDA_SECONDS],
  ];
  const problems = checks
    .filter(([, value, limit]) => value > limit / 2)
    .map(([what, value, limit]) => `${what}: ${value} is more than half of ${limit}`);
  return { lines, problems };
}

const problems: string[] = [];
try {
  console.log(
    `${stacks * functionsEach} functions in ${stacks} nested stacks, ${stacks * aliasedEach} of them behind aliases`,
  );
  for (const [version, what] of ['all are new', 'the code of all has changed'].entries()) {
    const executionArn = await release('many', await zipOf(version));
    const found = figures(await historyOf(executionArn));
    console.log([`release ${version + 1}, ${what}:`, ...found.lines].join('\n'));
    problems.push(...found.problems);
  }
} finally {
  await aws.stop();
  rmSync(work, { recursive: true, force: true });
}
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
