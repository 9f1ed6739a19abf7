import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Command } from 'commander';
import { canRun } from '../../core/build/artifact.ts';
import { writeWhole } from '../../core/build/cache.ts';
import type { Workspace } from '../../core/build/workspace.ts';
import { eventsFor, type MadeEvent } from '../../core/events/from-template.ts';
import { ownEvents } from '../../core/events/own.ts';
import { whyElsewhere } from '../../core/events/why.ts';
import { runWorkload } from '../../core/optimise/workload.ts';
import { objectOf } from '../../core/project/intrinsics.ts';
import { type Project, type ProjectFunction, SMOKE_FOLDER } from '../../core/project/project.ts';
import type { PlannedFunction } from '../../core/release/build-plan.ts';
import { isOurs } from '../../core/release/plan.ts';
import { builtWorkload } from '../built-workload.ts';
import { type Overrides, openBuild, openProject } from '../open-build.ts';
import { green, table, yellow } from '../show/table.ts';
import { withProjectOptions } from './options.ts';

interface Options extends Overrides {
  dryRun: boolean;
  force: boolean;
  json: boolean;
}

interface Row extends MadeEvent {
  function: string;
  /** Path in the project. */
  file: string;
  state: 'new' | 'written' | 'there' | 'left out';
  /** Why it is left out. */
  why?: string;
}

/** How the handler takes each event, on what was built; undefined for one that it answers. */
async function problemsOf(
  fn: PlannedFunction,
  events: readonly MadeEvent[],
  workspace: Workspace,
): Promise<(string | undefined)[]> {
  const given = events.map(({ name, event }) => ({ name, event }));
  const { outcomes } = await runWorkload(await builtWorkload(fn, workspace, given), false);
  const isEvent = (name: string) => name.startsWith('event ');
  const unstarted = outcomes.find(({ name, result }) => result !== 'ok' && !isEvent(name));
  return events.map(({ name }) => {
    const outcome = unstarted ?? outcomes.find((one) => one.name === `event ${name}`);
    return outcome === undefined || outcome.result === 'ok'
      ? undefined
      : whyElsewhere(outcome.detail ?? outcome.result);
  });
}

/** What the template and the folder of events say of a function. Its own come first, and stand for those of the same name. */
function candidatesOf(
  { template }: Project,
  { logicalId }: ProjectFunction,
  own: ReadonlyMap<string, MadeEvent[]>,
): MadeEvent[] {
  const resources = objectOf(template.document['Resources']);
  const all = [...(own.get(logicalId) ?? []), ...eventsFor(resources[logicalId], template.scope)];
  return all.filter(({ name }, index) => all.findIndex((one) => one.name === name) === index);
}

async function rowsOf(project: Project, options: Options): Promise<Row[]> {
  const { plan, workspace } = await openBuild(options);
  const functions = project.functions.filter(isOurs);
  const own = await ownEvents(
    project.root,
    posix.dirname(project.templateFile),
    functions.map(({ logicalId }) => logicalId),
  );
  const rows: Row[] = [];
  for (const fn of functions) {
    const events = candidatesOf(project, fn, own);
    const planned = plan.functions.find(({ logicalId }) => logicalId === fn.logicalId);
    if (events.length === 0 || planned === undefined) continue;
    const problems = canRun(planned.target)
      ? await problemsOf(planned, events, workspace)
      : events.map(() => `this machine cannot run code for ${planned.architecture}`);
    for (const [index, one] of events.entries()) {
      const file = posix.join(fn.codeUri, SMOKE_FOLDER, `${one.name}.json`);
      const why = problems[index];
      const isThere = existsSync(join(project.root, file)) && !options.force;
      const state = isThere ? 'there' : why === undefined ? 'new' : 'left out';
      rows.push({ ...one, function: fn.logicalId, file, state, ...(why === undefined ? {} : { why }) });
    }
  }
  return rows;
}

/** Functions that share a folder share its smoke events: the one that has an event first keeps the name. */
function withDistinctFiles(rows: readonly Row[]): Row[] {
  const taken = new Map<string, string>();
  return rows.map((row) => {
    const owner = taken.get(row.file) ?? row.function;
    taken.set(row.file, owner);
    return owner === row.function
      ? row
      : {
          ...row,
          state: 'left out',
          why: `${row.file} is ${owner}'s; functions in one folder share their smoke events`,
        };
  });
}

async function makeEvents(options: Options): Promise<void> {
  const project = await openProject(options);
  const rows = withDistinctFiles(await rowsOf(project, options));
  const written = await Promise.all(
    rows.map(async (row): Promise<Row> => {
      if (row.state !== 'new' || options.dryRun) return row;
      await writeWhole(join(project.root, row.file), `${JSON.stringify({ event: row.event }, null, 2)}\n`);
      return { ...row, state: 'written' };
    }),
  );
  if (options.json) {
    console.log(JSON.stringify({ events: written }));
    return;
  }
  show(written);
}

function show(rows: readonly Row[]): void {
  if (rows.length === 0) {
    console.log('The template names nothing that calls a function, and there is no folder events/.');
    console.log('Next: write smoke/NAME.json with {"event": …} beside the code of a function');
    return;
  }
  const colour = { new: green, written: green, there: String, 'left out': yellow };
  console.log(
    table(
      [{ title: 'function' }, { title: 'from' }, { title: 'file' }, { title: '' }],
      rows.map((row) => [row.function, row.from, row.file, colour[row.state](row.state)]),
    ),
  );
  const out = rows.filter(({ state }) => state === 'left out');
  if (out.length > 0) console.log('');
  for (const { function: fn, name, why } of out) console.log(`Left out: ${fn}, ${name}: ${why}.`);
  console.log('\nNext: look at the files, add "expect" where you know the answer, then plimsoll build');
}

export function eventsCommand(): Command {
  return withProjectOptions(new Command('events'))
    .description(
      'make smoke events of what the template says calls each function, and of the folder events/; only those that the function answers here are written',
    )
    .option('--dry-run', 'show them, and write nothing', false)
    .option('--force', 'write over files that are there', false)
    .option('--json', 'print one JSON document', false)
    .action(makeEvents);
}
