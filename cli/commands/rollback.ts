import { resolve } from 'node:path';
import { Command } from 'commander';
import { exitCodeOf } from '../../core/error-names.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { readConfig } from '../../core/project/config.ts';
import { readSamConfig } from '../../core/project/samconfig.ts';
import { nameOfFolder } from '../../core/project/stack-name.ts';
import { failureMessage, type ReleaseRecord } from '../../core/release/record.ts';
import { PipelineClient } from '../pipeline-client.ts';
import { dim, green, red } from '../show/table.ts';
import { followRelease, type Place, stackNameOf } from './deploy.ts';
import { allowDataLoss, port } from './options.ts';

interface Options {
  project: string;
  configEnv?: string;
  stackName?: string;
  to?: string;
  allowDataLoss: string[];
  region?: string;
  pipeline: string;
  json: boolean;
  local: boolean;
  port?: number;
  state?: string;
}

/** The release to roll back to: the one that is named, else the last good one before the one that runs. @throws InvalidInputError */
export function targetOf(
  records: readonly ReleaseRecord[],
  to: string | undefined,
): { from: ReleaseRecord; target: ReleaseRecord } {
  const released = records.filter(({ outcome }) => outcome === 'RELEASED');
  const from = released.at(-1);
  const known = released.map(({ id }) => id).join(', ') || 'none';
  if (!from) throw new InvalidInputError('nothing was released yet, so there is nothing to roll back to');
  const before = released.slice(0, -1);
  const target =
    to === undefined
      ? before.findLast(({ source }) => source.versionId !== from.source.versionId)
      : released.find(({ id }) => id === to);
  if (target) return { from, target };
  throw new InvalidInputError(
    to === undefined
      ? `there is no release of another upload before ${from.id}; name one: --to RELEASE (released: ${known})`
      : `--to: "${to}" is no release of this stack; released: ${known}`,
  );
}

/** Lets the pipeline roll back what a stopped release has left. @returns the exit code */
async function finishStopped(client: PipelineClient, stackName: string, json: boolean): Promise<number> {
  if (!json) console.log(dim(`a release of ${stackName} was stopped before it ended; it is rolled back`));
  const executionArn = await client.startRollback(stackName);
  const end = await client.untilEnd(executionArn);
  const error = end.error ?? end.status;
  const isDone = end.status === 'SUCCEEDED';
  const message = isDone ? '' : failureMessage({ Error: error, Cause: end.cause ?? '' });
  if (json)
    console.log(JSON.stringify({ status: end.status, executionArn, ...(isDone ? {} : { error, message }) }));
  else if (isDone) console.log(green(`${stackName} is as it was before that release.`));
  else console.error(red(`${error}: ${message}`));
  return isDone ? 0 : exitCodeOf(error);
}

/** Rolls back a release that was cut off with the embedded AWS, and says so in one line. @returns the exit code */
export async function rollBackInterrupted(client: PipelineClient, stackName: string): Promise<number> {
  const end = await client.untilEnd(await client.startRollback(stackName));
  if (end.status === 'SUCCEEDED') {
    console.error(dim(`Rolled back ${stackName}: its last release was interrupted.`));
    return 0;
  }
  const error = end.error ?? end.status;
  console.error(red(`${error}: ${failureMessage({ Error: error, Cause: end.cause ?? '' })}`));
  return exitCodeOf(error);
}

async function run(options: Options): Promise<number> {
  const root = resolve(options.project);
  const config = await readConfig(root);
  const sam = await readSamConfig(root, options.configEnv);
  const stackName = stackNameOf(options.stackName, config.stackName, sam.stackName ?? nameOfFolder(root));
  const get = config.smoke.endpoints[0]?.get;
  if (options.local) {
    // Loaded on demand: the builds of the pipeline have this command line, too, and nothing of local/.
    const { inEmbeddedAws } = await import('./in-embedded-aws.ts');
    return inEmbeddedAws(options, (place) => rollback(options, { place, stackName, get }));
  }
  if (options.region !== undefined) process.env['AWS_REGION'] = options.region;
  const place = {
    client: await PipelineClient.find(options.pipeline),
    reachable: (url: string) => url,
    unbuilt: 'reject' as const,
  };
  return rollback(options, { place, stackName, get });
}

async function rollback(
  options: Options,
  { place, stackName, get }: { place: Place; stackName: string; get: string | undefined },
): Promise<number> {
  const begin = performance.now();
  const { to, json } = options;
  const { client } = place;
  if (await client.isLocked(stackName)) return finishStopped(client, stackName, json);
  const records = await client.releases(stackName);
  const { from, target } = targetOf(records, to);
  const executionArn = await client.start({
    source: target.source,
    stackName,
    parameters: target.parameters,
    allowDataLoss: options.allowDataLoss,
    // Pressed twice, it is done once; after one that failed, and so has a record, it is done again.
    idempotencyKey: `rollback-after-${records.at(-1)?.id}-to-${target.id}`,
  });
  if (!json) console.log(`${stackName}: from ${from.id} back to ${target.id}, execution ${executionArn}\n`);
  return followRelease(executionArn, place, { json, begin, get });
}

export function rollbackCommand(): Command {
  return new Command('rollback')
    .description(
      'roll back what a stopped release has left; else deploy an earlier release again, with all its proofs',
    )
    .option(
      '--to <release>',
      'id of the release to roll back to (default: the last good one before the one that runs)',
    )
    .addOption(allowDataLoss())
    .option('--project <folder>', 'folder of the SAM project', '.')
    .option('--config-env <name>', 'environment of samconfig (default: default)')
    .option(
      '--stack-name <name>',
      "stack to roll back (default: stackName of plimsoll.yaml, else stack_name of samconfig.toml, else the folder's name)",
    )
    .option('--region <region>', 'region of the pipeline (default: the one of the AWS configuration)')
    .option('--pipeline <stack>', 'name of the stack of the pipeline', 'Plimsoll')
    .option('--local', 'roll back on the embedded AWS of this checkout', false)
    .option('--port <port>', 'with --local: port of the embedded AWS (default: a free one)', port)
    .option('--state <folder>', 'with --local: folder of its state (default: .plimsoll/aws of the checkout)')
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(async (options: Options) => {
      process.exitCode = await run(options);
    });
}
