/**
 * How long a release may run and how many events its execution may have, and what follows from that. Pure. Sources: Step
 * Functions developer guide, "Service quotas"; Lambda developer guide, "Lambda quotas".
 */

/** How long the deploy machine may run, and the rollback machine, in seconds. */
export const DEPLOY_SECONDS = 4 * 3600;
export const ROLLBACK_SECONDS = 2 * 3600;

/**
 * How long a build may wait in CodeBuild's queue for others of the account, and how long it may then run, in seconds. Both
 * fit into the time of a release.
 */
export const BUILD_QUEUE_SECONDS = 150 * 60;
export const BUILD_SECONDS = 45 * 60;

/** The longest that one call of a Lambda function may take, in seconds. */
export const LAMBDA_SECONDS = 900;

/** Most events of an execution's history; the next one ends it, and nothing catches that. */
export const MAX_EVENTS = 25_000;

/** Most bytes, as JSON in UTF-8, of a state's input and output, of a task's arguments and result, and of a variable. */
export const MAX_DATA_BYTES = 262_144;

/** How long a release may watch its traffic in all, in seconds: half of its time, the rest is for building and proving. */
export const MAX_BAKE_SECONDS = DEPLOY_SECONDS / 2;

/** Between two looks at the alarms, in seconds: the Wait state Bake. */
export const BAKE_POLL_SECONDS = 5;

/** So many functions are proven by one call of a handler, side by side, so that it takes as long as the slowest of them. */
export const BATCH_SIZE = 10;

/** So many of these calls run at once: MaxConcurrency of the Map states over batches. */
export const BATCHES_AT_ONCE = 4;

/** So many functions one call of a handler gives alarms, or cleans up after; the state machine goes on with the next ones. */
export const PART_SIZE = 50;

/** So many calls of AWS a handler makes at once where none waits for code of others. */
export const CALLS_AT_ONCE = 5;

/** How long a temporary function may take to become active, and to answer, in seconds; one that is slow is tried so often. */
export const ACTIVE_SECONDS = 120;
export const PROBE_SECONDS = 120;
export const PROBE_ATTEMPTS = 3;

/** How long all smoke events of one function may take, in seconds: what is left of a call once functions are found and removed. */
export const SMOKE_SECONDS = LAMBDA_SECONDS - 60;

/** Events of a state that calls a function: entered, scheduled, started, succeeded, exited; of one that calls none; of an iteration. */
const TASK = 5;
const STATE = 2;
const ITERATION = 2;

/** Events of the states that run once, builds and layers included, and what is kept for retries. */
const ONCE = 500;
const RETRIES = 4000;

/** Tasks of an iteration, in all Map states over batches: probes, twins, held versions and their logs, what is live, its logs. */
const TASKS_OF_A_BATCH = 6;
const MAPS = 5;

/** Loops over parts: alarms, clean-up. */
const LOOPS = 2;

/** Numbers of the batches of so many functions, as the items of a Map state. */
export const batchesOf = (functions: number): number[] =>
  Array.from({ length: Math.ceil(functions / BATCH_SIZE) }, (_, batch) => batch);

/** Those of a release's functions that a batch proves. @param functions as the plan lists them */
export const inBatch = <T>(functions: readonly T[], batch: number): T[] =>
  functions.slice(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE);

/** The part that begins at `from`, and where the next one begins; null after the last one. */
export function partFrom<T>(all: readonly T[], from: number): { part: T[]; next: number | null } {
  const end = from + PART_SIZE;
  return { part: all.slice(from, end), next: end < all.length ? end : null };
}

/** The most that a release asks of its execution. */
export interface Extent {
  functions: number;
  /** Each with the seconds that the alarms are watched after it. */
  steps: readonly { bakeSeconds: number }[];
}

/** The most events that the execution of a release has, retries included. */
export function mostEvents({ functions, steps }: Extent): number {
  const polls = steps.map(({ bakeSeconds }) => Math.ceil(bakeSeconds / BAKE_POLL_SECONDS) + 1);
  const watching = polls.reduce((sum, count) => sum + count * (TASK + STATE + STATE) + ITERATION + TASK, 0);
  const proving = Math.ceil(functions / BATCH_SIZE) * (MAPS * ITERATION + TASKS_OF_A_BATCH * TASK);
  const rest = LOOPS * Math.ceil(functions / PART_SIZE) * (TASK + STATE);
  return ONCE + RETRIES + watching + proving + rest;
}

/** Why a release of this extent cannot be carried out, and what to do; undefined where it can. */
export function whyTooLong(extent: Extent): string | undefined {
  const events = mostEvents(extent);
  if (events <= MAX_EVENTS) return undefined;
  const { functions, steps } = extent;
  const [first] = steps;
  return `${functions} functions with ${steps.length} steps of ${first?.bakeSeconds ?? 0} s may take ${events} events; an execution of Step Functions may have ${MAX_EVENTS}. Take fewer steps or a shorter bake, or split the project into several stacks`;
}
