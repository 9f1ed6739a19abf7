import { setTimeout as sleep } from 'node:timers/promises';
import { calledExecution } from '../../core/release/lock.ts';
import { type StateRun, stateRuns } from '../../core/release/progress.ts';
import type { ExecutionEnd, PipelineClient } from '../pipeline-client.ts';

const POLL_MS = 500;

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
    for (;;) {
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
      await sleep(POLL_MS);
    }
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
