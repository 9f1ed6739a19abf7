import { createInterface } from 'node:readline/promises';
import { STSClient } from '@aws-sdk/client-sts';
import { Command } from 'commander';
import { InvalidInputError, PrerequisiteError } from '../../core/errors.ts';
import { DEFAULT_PIPELINE } from '../../core/release/pipeline-name.ts';
import { acceptanceCost } from '../acceptance/cost.ts';
import { isAcceptanceName, newName } from '../acceptance/name.ts';
import type { Finding } from '../doctor/check.ts';
import { costTable, removalResults, resultTable } from '../show/acceptance.ts';
import { bold, dim, green, red } from '../show/table.ts';

interface Options {
  local: boolean;
  yes: boolean;
  remove?: string;
  region?: string;
  json: boolean;
}

/** What a shell says of a program that Ctrl-C has ended. */
const INTERRUPTED = 130;

/** @throws InvalidInputError where nobody can be asked */
function refuseUnasked({ local, yes, remove, json }: Options): void {
  if (remove !== undefined && local)
    throw new InvalidInputError('--remove: an embedded AWS ends with its acceptance; leave out --local');
  if (remove !== undefined && !isAcceptanceName(remove))
    throw new InvalidInputError(
      `--remove: "${remove}" is not a name of an acceptance; give the one that it printed, such as PlimsollAccept1a2b3c`,
    );
  if (local || yes || remove !== undefined) return;
  if (json || !process.stdin.isTTY || !process.stdout.isTTY)
    throw new InvalidInputError(
      'acceptance costs money, and there is no terminal to ask on; pass --yes to go on without a question',
    );
}

/** @throws PrerequisiteError naming what failed, and what to do about each */
function refuseFailed(findings: readonly Finding[]): void {
  const failed = findings.filter(({ verdict }) => verdict === 'failed');
  if (failed.length > 0)
    throw new PrerequisiteError(
      failed.map(({ what, found, remedy }) => `${what}: ${found}\n  ${remedy}`).join('\n'),
    );
}

/** Looks at the account as the doctor does. @throws PrerequisiteError naming what has to be done first */
async function refuseUnready(): Promise<string> {
  const { accountFindings } = await import('../doctor/account/checks.ts');
  const found = await accountFindings(DEFAULT_PIPELINE);
  // A pipeline that is there, or is not, is none of an acceptance's.
  refuseFailed(found.filter(({ what }) => !what.startsWith('Pipeline ')));
  return found.find(({ what }) => what === 'Account and region')?.found ?? '';
}

async function isAgreed(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** Lines of a removal: each once, though it is told again and again. */
function teller(json: boolean): (line: string) => void {
  let last = '';
  return (line) => {
    if (!json && line !== last) console.error(dim(`  ${line}`));
    last = line;
  };
}

/** Removes what is left of an acceptance that was cut off. @returns the exit code */
async function remove(name: string, json: boolean): Promise<number> {
  const { openClients } = await import('../acceptance/clients.ts');
  const { removeAll } = await import('../acceptance/remove.ts');
  const { readCaller } = await import('../doctor/account/caller.ts');
  refuseFailed((await readCaller(new STSClient())).findings);
  const start = performance.now();
  const removal = await removeAll(name, openClients(), teller(json));
  const results = removalResults(removal, performance.now() - start);
  if (json) console.log(JSON.stringify({ name, results, left: removal.left }));
  else console.log(`\n${resultTable(results)}`);
  return results.some(({ verdict }) => verdict === 'failed') ? 1 : 0;
}

/** The first Ctrl-C or termination ends what runs and begins the removal; the command line's second one ends all. */
function abortOnSignal(name: string, isLocal: boolean): AbortSignal {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => {
      const later = isLocal ? '' : `; to leave it and remove it later: plimsoll acceptance --remove ${name}`;
      console.error(`\nInterrupted. Everything is removed now${later}`);
      controller.abort();
    });
  return controller.signal;
}

/** @returns the exit code */
async function run(options: Options): Promise<number> {
  const { local, yes, json, region } = options;
  refuseUnasked(options);
  if (region !== undefined) process.env['AWS_REGION'] = region;
  if (options.remove !== undefined) return remove(options.remove, json);
  const name = newName();
  if (!local) {
    const where = await refuseUnready();
    if (!json) console.log(`${bold(name)} in ${where}\n\n${costTable(acceptanceCost())}\n`);
    if (!yes && !(await isAgreed('It takes about half an hour, and removes everything at its end. Go on?')))
      return 0;
    if (!json) console.error(dim(`If this is cut off: plimsoll acceptance --remove ${name}`));
  }
  // Loaded on demand: the builds of the pipeline have this command line, too, and nothing of local/.
  const { inAccount, inEmbeddedAws } = await import('../acceptance/places.ts');
  const { accept } = await import('../acceptance/acceptance.ts');
  const signal = abortOnSignal(name, local);
  const place = await (local ? inEmbeddedAws() : inAccount());
  try {
    const begin = (step: string) => {
      if (!json) console.log(`\n${bold(step)}`);
    };
    const outcome = await accept(name, place, { signal, json }, { begin, tell: teller(json) });
    const results = [...outcome.results, ...removalResults(outcome.removal, outcome.removalMs)];
    const isPassed = results.every(({ verdict }) => verdict !== 'failed');
    const { left } = outcome.removal;
    if (json)
      console.log(
        JSON.stringify({
          name,
          isPassed,
          wasInterrupted: outcome.wasInterrupted,
          results,
          left,
          cost: outcome.cost,
        }),
      );
    else {
      console.log(`\n${resultTable(results)}\n`);
      if (left.length > 0) console.log(red(`To remove the rest: plimsoll acceptance --remove ${name}\n`));
      if (place.stays) console.log(dim(`${place.stays}\n`));
      if (!outcome.wasInterrupted)
        console.log(isPassed ? green('Accepted.') : red('Not accepted: see what failed above.'));
    }
    if (outcome.wasInterrupted) return INTERRUPTED;
    return isPassed ? 0 : 1;
  } finally {
    await place.close();
  }
}

export function acceptanceCommand(): Command {
  return new Command('acceptance')
    .description(
      'prove the pipeline in this account: install it under a name of its own, release the example and a broken version, and remove everything',
    )
    .option('--yes', 'go on without a question', false)
    .option('--region <region>', 'region to run in (default: the one of the AWS configuration)')
    .option('--remove <name>', 'remove what is left of an acceptance that was cut off')
    .option('--local', 'run it on this machine, on an embedded AWS of its own', false)
    .option('--json', 'print one JSON document at the end, and nothing else', false)
    .action(async (options: Options) => {
      process.exitCode = await run(options);
    });
}
