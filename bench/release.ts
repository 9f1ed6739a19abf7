/**
 * Measures, on the embedded AWS and in one run, what a client that calls the example's GET /predict without pause sees while
 * it is released: its functions behind an alias, and changed in place. A good release, one whose endpoint check fails once it
 * is live, and the rollback to the first one. Prints both sides.
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CloudFormationClient, paginateListStackResources } from '@aws-sdk/client-cloudformation';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import {
  DescribeExecutionCommand,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
} from '@aws-sdk/client-sfn';
import { packProject } from '../cli/pack.ts';
import { stagesOf } from '../core/release/stack-resources.ts';
import { EmbeddedAws } from '../local/embedded-aws.ts';
import { ROOT } from '../local/paths.ts';
import { deployPipeline } from '../local/pipeline.ts';

// Node 20 is the floor of this project; what the SDK says of it is no news here.
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true';
const work = mkdtempSync(join(tmpdir(), 'plimsoll-bench-release-'));
const aws = await EmbeddedAws.start({ folder: join(work, 'aws') });
Object.assign(process.env, aws.environment);
const s3 = new S3Client({ forcePathStyle: true });
const sfn = new SFNClient();
const pipeline = await deployPipeline(aws, join(work, 'aws'));

function edit(file: string, from: string, to: string): void {
  const text = readFileSync(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} does not hold ${from}`);
  writeFileSync(file, text.replace(from, to));
}

/** The example, whose answers say which release they are of. */
async function zipOf(stack: string, answer: number, alias: boolean, passes: boolean): Promise<Buffer> {
  const project = join(work, `${stack}-${answer}`);
  cpSync(join(ROOT, 'examples', 'item-prediction'), project, {
    recursive: true,
    filter: (path) => !path.endsWith('.plimsoll'),
  });
  edit(
    join(project, 'functions/predictions/app.py'),
    '"unit": "items",',
    `"unit": "items", "release": ${answer},`,
  );
  if (!alias) edit(join(project, 'template.yaml'), '    AutoPublishAlias: live\n', '');
  if (!passes) edit(join(project, 'plimsoll.yaml'), 'unit: items', 'unit: none');
  return readFileSync((await packProject(project, work)).path);
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
    const { status } = await sfn.send(new DescribeExecutionCommand({ executionArn }));
    if (status !== 'RUNNING') return executionArn;
    await sleep(200);
  }
}

/** When the execution has entered a state for the first time, in ms since 1970. */
async function enteredAt(executionArn: string, state: string): Promise<number> {
  const { events = [] } = await sfn.send(new GetExecutionHistoryCommand({ executionArn, maxResults: 1000 }));
  const found = events.find(({ stateEnteredEventDetails }) => stateEnteredEventDetails?.name === state);
  return found?.timestamp?.getTime() ?? Number.NaN;
}

async function addressOf(stackName: string): Promise<string> {
  const resources = [];
  for await (const page of paginateListStackResources(
    { client: new CloudFormationClient() },
    { StackName: stackName },
  ))
    for (const {
      LogicalResourceId = '',
      PhysicalResourceId = '',
      ResourceType = '',
    } of page.StackResourceSummaries ?? [])
      resources.push({ logicalId: LogicalResourceId, physicalId: PhysicalResourceId, type: ResourceType });
  const [stage] = stagesOf(resources);
  return `${aws.endpoint}/_aws/execute-api/${stage?.apiId}/${stage?.stage}/predict?customerId=c-001&facilityId=f-01`;
}

interface Watched {
  answers: number;
  failed: number;
  /** When each release has answered last, in ms since 1970. */
  last: Map<number, number>;
}

/** Calls an address without pause while something is done. */
async function watch<T>(address: string, act: () => Promise<T>): Promise<{ result: T; watched: Watched }> {
  const watched: Watched = { answers: 0, failed: 0, last: new Map() };
  let running = true;
  const loop = async () => {
    while (running) {
      const answer = await fetch(address)
        .then(async (response) =>
          response.ok ? ((await response.json()) as { release: number }) : undefined,
        )
        .catch(() => undefined);
      watched.answers += 1;
      if (answer) watched.last.set(answer.release, Date.now());
      else watched.failed += 1;
    }
  };
  const loops = Promise.all([loop(), loop()]);
  const result = await act();
  running = false;
  await loops;
  return { result, watched };
}

async function side(stack: string, alias: boolean): Promise<string[]> {
  await release(stack, await zipOf(stack, 1, alias, true));
  const address = await addressOf(stack);
  const good = await watch(address, async () => release(stack, await zipOf(stack, 2, alias, true)));
  const bad = await watch(address, async () => release(stack, await zipOf(stack, 3, alias, false)));
  const back = await watch(address, async () => release(stack, await zipOf(stack, 1, alias, true)));
  const failedAt = await enteredAt(bad.result, 'Rollback?');
  const seen = ({ answers, failed }: Watched) => `${failed} of ${answers}`;
  const ms = (bad.watched.last.get(3) ?? Number.NaN) - failedAt;
  return [
    seen(good.watched),
    seen(bad.watched),
    seen(back.watched),
    Number.isNaN(ms) ? 'never live' : `${Math.max(0, Math.round(ms))}`,
  ];
}

try {
  const sides = [await side('behind-an-alias', true), await side('in-place', false)];
  const rows = [
    'failed answers, good release',
    'failed answers, release that fails once it is live',
    'failed answers, back to the first release',
    'from the failed check to the last answer of the bad release, ms',
  ];
  console.log('|  | behind an alias | in place |\n| --- | ---: | ---: |');
  for (const [index, what] of rows.entries())
    console.log(`| ${what} | ${sides.map((cells) => cells[index]).join(' | ')} |`);
} finally {
  await aws.stop();
  rmSync(work, { recursive: true, force: true });
}
