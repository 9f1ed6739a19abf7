import { resolve } from 'node:path';
import { Command } from 'commander';
import { exitCodeOf } from '../../core/error-names.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { readConfig } from '../../core/project/config.ts';
import { failureMessage, type ReleaseRecord } from '../../core/release/record.ts';
import { PipelineClient } from '../pipeline-client.ts';
import { dim, green, red } from '../show/table.ts';
import { followRelease, stackNameOf } from './deploy.ts';
import { allowDataLoss } from './options.ts';

interface Options {
  project: string;
  stackName?: string;
  to?: string;
  allowDataLoss: string[];
  region?: string;
  pipeline: string;
  json: boolean;
}

/** The release to go back to: the one that is named, else the last good one before the one that runs. @throws InvalidInputError */
export function targetOf(
  records: readonly ReleaseRecord[],
  to: string | undefined,
): { from: ReleaseRecord; target: ReleaseRecord } {
  const released = records.filter(({ outcome }) => outcome === 'RELEASED');
  const from = released.at(-1);
  const known = released.map(({ id }) => id).join(', ') || 'none';
  if (!from) throw new InvalidInputError('nothing was released yet, so there is nothing to go back to');
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

/** Lets the pipeline bring back what a stopped release has left. @returns the exit code */
async function finishStopped(client: PipelineClient, stackName: string, json: boolean): Promise<number> {
  if (!json) console.log(dim(`a release of ${stackName} was stopped before it ended; it is brought back`));
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

async function rollback(options: Options): Promise<number> {
  const begin = performance.now();
  const { to, json } = options;
  if (options.region !== undefined) process.env['AWS_REGION'] = options.region;
  const config = await readConfig(resolve(options.project));
  const stackName = stackNameOf(options.stackName, config.stackName);
  const client = await PipelineClient.find(options.pipeline);
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
  const get = config.smoke.endpoints[0]?.get;
  return followRelease(executionArn, { client, reachable: (url) => url }, { json, begin, get });
}

export function rollbackCommand(): Command {
  return new Command('rollback')
    .description(
      'go back: what a stopped release has left is undone; else an earlier release is deployed again, with all its proofs',
    )
    .option(
      '--to <release>',
      'id of the release to go back to (default: the last good one before the one that runs)',
    )
    .addOption(allowDataLoss())
    .option('--project <folder>', 'folder of the SAM project', '.')
    .option('--stack-name <name>', 'stack to bring back (default: stackName of plimsoll.yaml)')
    .option('--region <region>', 'region of the pipeline (default: the one of the AWS configuration)')
    .option('--pipeline <stack>', 'name of the stack of the pipeline', 'Plimsoll')
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(async (options: Options) => {
      process.exitCode = await rollback(options);
    });
}
