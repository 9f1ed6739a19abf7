import type { ListrTask } from 'listr2';
import { z } from 'zod';
import type { StateRun } from '../../core/release/progress.ts';
import { dim, duration } from '../show/table.ts';
import type { Follower } from './follower.ts';

/** What people read for each state, in the state machine's order. */
const TITLES: readonly (readonly [state: string, title: string])[] = [
  ['Prerequisites', 'Check prerequisites'],
  ['Resolve', 'Resolve, trim, prove and build'],
  ['Plan', 'Plan'],
  // Planned again afterwards.
  ['Optimise', 'Trim, prove and build without the secrets'],
  ['BuildLayers', 'Layers'],
  ['BuildFunctions', 'Build functions that are missing'],
  ['ValidateSizes', 'Validate sizes'],
  ['Snapshot', 'Snapshot the running stack'],
  ['DeployLayers', 'Deploy layers'],
  ['ProbeImports', 'Probe imports in Lambda'],
  ['SmokeTestTwins', 'Smoke tests on temporary twins'],
  ['CreateChangeSet', 'Create the change set'],
  ['ExecuteChangeSet', 'Deploy functions'],
  ['AwaitStack', 'Wait for CloudFormation'],
  ['SmokeTestHeld', 'Smoke tests of the new versions'],
  ['ShiftTraffic', 'Shift the traffic'],
  ['SmokeTest', 'Smoke tests of what is live'],
  ['SmokeTestEndpoints', 'Smoke tests of its endpoints'],
  ['CheckLogs', 'Check the logs'],
  ['Observe', 'Alarms, dashboard, log retention'],
  ['RecordRelease', 'Record the release'],
  ['Notify', 'Notify'],
];

/** What may happen after a failure, in its order. */
const AFTERWARDS: typeof TITLES = [
  ['Restore', 'Roll back'],
  ['SmokeTestRestored', 'Smoke tests of the restored version'],
  ['SmokeTestRestoredEndpoints', 'Smoke tests of its endpoints'],
  ['CheckRestoredLogs', 'Check its logs'],
  ['ObserveRestored', 'Alarms and dashboard of the restored version'],
];

export const titleOf = (state: string): string =>
  [...TITLES, ...AFTERWARDS].find(([name]) => name === state)?.[1] ?? state;

/** Ends the list; the reason is the execution's own error, which is shown once, at the end. */
class StepFailed extends Error {
  override readonly name = 'StepFailed';
}

const took = (run: StateRun) => dim(duration((run.endedAt ?? run.startedAt) - run.startedAt));

/** CodeBuild's answer is AccountLimitExceededException. */
const WAITS = 'waits for room in CodeBuild: the account has as many builds in the queue as it may have';

type Settled = StateRun | 'skipped' | 'ended';

/** The state's run once it is over; `skipped` once a later state has begun without it. */
function settled(follower: Follower, state: string, item?: string): Settled | undefined {
  const run = follower.find(state, item);
  if (run && (run.status === 'done' || run.status === 'failed')) return run;
  if (follower.end) return 'ended';
  // A layer's own state is part of BuildLayers.
  const step = state === 'BuildLayer' ? 'BuildLayers' : state;
  const position = TITLES.findIndex(([name]) => name === step);
  const later = TITLES.slice(position + 1).some(([name]) => follower.find(name));
  return run === undefined && later ? 'skipped' : undefined;
}

interface Titled {
  title: string;
  /** A line below the title. */
  output: string;
  skip(message?: string): void;
}

function finish(task: Titled, title: string, result: Settled): void {
  if (result === 'skipped') task.skip(`${title} ${dim('nothing to do')}`);
  else if (result === 'ended' || result.status === 'failed') throw new StepFailed(title);
  else task.title = `${title} ${took(result)}`;
}

/** As `settled`; says once that a build waits for others of the account. */
function settledOrSays(follower: Follower, task: Titled, state: string, item?: string): Settled | undefined {
  if (follower.find(state, item)?.status === 'waiting' && task.output !== WAITS) task.output = WAITS;
  return settled(follower, state, item);
}

/** One line a layer, once the layers are known; those that are used again are done at once. */
function layerTasks(follower: Follower, layers: readonly string[]): ListrTask[] {
  return layers.map((layer) => ({
    title: layer,
    task: async (_context, task) => {
      const result = await follower.when(() => {
        if (follower.find('Reuse', layer)) return 'reused' as const;
        return settledOrSays(follower, task, 'BuildLayer', layer);
      });
      if (result === 'reused') task.title = `${layer} ${dim('in the artifact bucket')}`;
      else finish(task, layer, result);
    },
  }));
}

const planSchema = z.object({ waves: z.array(z.array(z.object({ name: z.string() }))) });

function plannedLayers(follower: Follower): string[] {
  const { waves } = planSchema.parse(JSON.parse(follower.find('Plan')?.output ?? '{"waves":[]}'));
  return waves.flat().map(({ name }) => name);
}

/** The tasks of a release; each waits for its state. */
export function releaseTasks(follower: Follower): ListrTask[] {
  return TITLES.map(([state, title]) => ({
    title,
    task: async (_context, task) => {
      if (state === 'BuildLayers') {
        const began = await follower.when(() => follower.find(state) ?? (follower.end ? 'ended' : undefined));
        if (began === 'ended') throw new StepFailed(title);
        return task.newListr(layerTasks(follower, plannedLayers(follower)), {
          concurrent: true,
          exitOnError: false,
          rendererOptions: { collapseSubtasks: false },
        });
      }
      finish(task, title, await follower.when(() => settledOrSays(follower, task, state)));
      return undefined;
    },
  }));
}

const wayBack = (follower: Follower, state: string): StateRun | undefined =>
  follower.back.findLast((run) => run.state === state);

/** What happens after a failure. */
export function rollbackTasks(follower: Follower): ListrTask[] {
  return AFTERWARDS.map(([state, title]) => ({
    title,
    skip: () => follower.end !== undefined && wayBack(follower, state) === undefined,
    task: async (_context, task) => {
      const result = await follower.when(() => {
        const run = wayBack(follower, state);
        if (run && run.status !== 'running') return run;
        return follower.end ? 'skipped' : undefined;
      });
      finish(task, title, result);
    },
  }));
}
