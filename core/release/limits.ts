/**
 * How long a release may run and how many events its execution may have, and what follows from that. Pure. Sources: Step
 * Functions developer guide, "Service quotas"; Lambda developer guide, "Lambda quotas".
 */

/** How long the deploy machine may run, and the rollback machine, in seconds. */
export const DEPLOY_SECONDS = 4 * 3600;
export const ROLLBACK_SECONDS = 2 * 3600;

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
export const BATCH_SIZE = 5;

/** So many of these calls run at once: MaxConcurrency of the Map states over batches. */
export const BATCHES_AT_ONCE = 8;

/** So many functions one call of a handler cleans up after, or gives alarms. */
export const PART_SIZE = 50;

/** Events of a state that calls a function: entered, scheduled, started, succeeded, exited; of one that calls none; of an iteration. */
const TASK = 5;
const STATE = 2;
const ITERATION = 2;

/** Events of the states that run once, builds and layers included, and what is kept for retries. */
const ONCE = 500;
const RETRIES = 4000;

/** Map states over batches, and loops over parts, that a release may go through. */
const MAPS = 4;
const LOOPS = 2;

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
  const proving = MAPS * Math.ceil(functions / BATCH_SIZE) * (ITERATION + TASK);
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
