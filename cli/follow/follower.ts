import { setTimeout as sleep } from 'node:timers/promises';
import { calledExecution } from '../../core/release/lock.ts';
import { type StateRun, stateRuns } from '../../core/release/progress.ts';
import type { ExecutionEnd, PipelineClient } from '../pipeline-client.ts';

const SHORTEST_MS = 200;
const LONGEST_MS = 1000;

/**
 * How long to wait before the next look, in ms: short after news, longer and longer without. Each look is two calls and more,
 * and an account has 20 GetExecutionHistory a second (Step Functions, "Quotas related to API action throttling").
 */
export const pauseAfter = (pauseMs: number, isNews: boolean): number =>
  isNews ? SHORTEST_MS : Math.min(LONGEST_MS, pauseMs * 1.5);

/** Follows one execution, and the rollback that it calls; whoever waits for something looks again after each poll. */
export class Follower {
  runs: StateRun[] = [];
  /** The states of the rollback, once it is called. */
  back: StateRun[] = [];
  end: ExecutionEnd | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(
    private readonly client: PipelineClient,
    private readonly executionArn: string,
  ) {}

  /** Polls until the execution has ended. */
  async follow(): Promise<ExecutionEnd> {
    for (let pauseMs = SHORTEST_MS; ; ) {
      const before = this.progress;
      // The end is asked for first, so that the history read after it is whole.
      const end = await this.client.describe(this.executionArn);
      this.runs = stateRuns(await this.client.history(this.executionArn));
      if (this.find('Rollback')) {
        const called = calledExecution(this.client.outputs.RollbackMachine, this.executionArn);
        this.back = stateRuns(await this.client.history(called));
      }
      if (end.status !== 'RUNNING') this.end = end;
      for (const listener of [...this.listeners]) listener();
      if (this.end) return this.end;
      pauseMs = pauseAfter(pauseMs, this.progress !== before);
      await sleep(pauseMs);
    }
  }

  /** Differs when a state has begun or ended. */
  private get progress(): string {
    return JSON.stringify(this.all.map(({ state, item, status }) => [state, item, status]));
  }

  /** Resolves with the first answer of `look` that is not undefined; looks after each poll. */
  when<T>(look: () => T | undefined): Promise<T> {
    return new Promise((resolve) => {
      const listener = () => {
        const answer = look();
        if (answer === undefined) return;
        this.listeners.delete(listener);
        resolve(answer);
      };
      this.listeners.add(listener);
      listener();
    });
  }

  /** The states of the release and of its rollback, in that order. */
  get all(): StateRun[] {
    return [...this.runs, ...this.back];
  }

  find(state: string, item?: string): StateRun | undefined {
    return this.runs.findLast((run) => run.state === state && (item === undefined || run.item === item));
  }
}
