/** Turns the history of an execution into what each state did and how long it took. Pure. */

export interface HistoryEvent {
  /** `TaskStateEntered`, `TaskStateExited`, … as GetExecutionHistory names them. */
  type: string;
  /** ms since 1970. */
  at: number;
  name?: string | undefined;
  /** Input of a state that was entered, output of one that was left: JSON. */
  data?: string | undefined;
}

/** `explaining`: a build has failed, and a handler finds out why; `waiting`: it found no room, and is started again. */
export type StateStatus = 'running' | 'done' | 'failed' | 'explaining' | 'waiting';

export interface StateRun {
  state: string;
  /** The layer, for states that run once a layer. */
  item?: string;
  status: StateStatus;
  /** ms since 1970. */
  startedAt: number;
  endedAt?: number;
  /** What the state answered: JSON. */
  output?: string;
}

/** Entered only because the state before failed. */
const FAILURE_STATES = /^(Explain\w+|WaitTo\w+|Rollback\?|NotifyFailure|RollbackFailed|NotifyUnobserved)$/;

/** What a state says, by being entered, of the one whose error led there. */
function meaningOf(state: string): StateStatus {
  if (state.startsWith('Explain')) return 'explaining';
  return state.startsWith('WaitTo') ? 'waiting' : 'failed';
}

function itemOf(data: string | undefined): string | undefined {
  if (data === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    const name = typeof value === 'object' && value !== null && 'name' in value ? value.name : undefined;
    return typeof name === 'string' ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Every state that the execution has entered, in that order. */
export function stateRuns(events: readonly HistoryEvent[]): StateRun[] {
  const runs: StateRun[] = [];
  let left: StateRun | undefined;
  for (const { type, at, name, data } of events) {
    if (name === undefined) continue;
    const item = itemOf(data);
    if (type.endsWith('StateEntered')) {
      if (FAILURE_STATES.test(name)) markLast(runs, left, meaningOf(name), item, at);
      runs.push({ state: name, ...(item === undefined ? {} : { item }), status: 'running', startedAt: at });
    } else if (type.endsWith('StateExited')) {
      const open = runs.findLast(
        (run) =>
          run.state === name &&
          run.endedAt === undefined &&
          (run.item === item || run.item === undefined || item === undefined),
      );
      if (!open) continue;
      const status = open.status === 'running' ? 'done' : open.status;
      left = Object.assign(open, { status, endedAt: at, output: data });
    }
  }
  return runs;
}

/**
 * Marks the state whose error led here: the newest one, of the same item where it has one; and the one that was left last, which
 * is the Map around it where it runs in one. An error that nothing could explain away is that of every state that still waits
 * for an explanation.
 */
function markLast(
  runs: StateRun[],
  left: StateRun | undefined,
  status: StateStatus,
  item: string | undefined,
  at: number,
): void {
  const explained = status === 'failed' ? runs.filter((run) => run.status === 'explaining') : [];
  const last = runs.findLast(
    (run) =>
      !FAILURE_STATES.test(run.state) && (item === undefined || run.item === undefined || run.item === item),
  );
  const around =
    status === 'failed' && item === undefined && left && !FAILURE_STATES.test(left.state) ? left : undefined;
  const inside = around ? runs.slice(runs.indexOf(around)).filter((run) => run.status === 'running') : [];
  for (const run of [...(explained.length > 0 ? explained : [last]), around, ...inside]) {
    if (!run) continue;
    run.status = status;
    run.endedAt ??= at;
  }
}
