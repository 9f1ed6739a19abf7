/** Says of a Python program of ours which of its attempts takes long, and ends it where one never ends. */

/**
 * So long an import may take. Lambda gives the start of a function 10 s, then its time-out, of at most 15 minutes (Lambda developer
 * guide, "Understanding the Lambda execution environment lifecycle", "Init phase"); this machine may be a slow one.
 */
export const IMPORT_LIMIT_MS = 120_000;

/** After so long it is said which attempt runs, and again each time twice as much has passed. */
const FIRST_WORD_MS = 5000;

/** The line with which a program says that an attempt begins. */
const STARTED = /^\{"(?:name|module)": (".*"), "started": true\}$/;

export interface WatchOptions {
  /** How long an attempt may take, in ms; undefined: as long as the whole program. */
  limitOf(attempt: string): number | undefined;
  /** Called now and then while an attempt runs. */
  onSlow?: ((attempt: string, ms: number) => void) | undefined;
  /** @default 5,000 */
  firstWordMs?: number;
}

export class Watch {
  /** The attempt that took too long, and ended the program. */
  expired: string | undefined;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: WatchOptions) {}

  /** As `onLine` of run(). Whatever the program says ends the attempt before. */
  readonly line = (text: string, kill: () => void): void => {
    this.end();
    const [, name] = STARTED.exec(text) ?? [];
    if (name !== undefined)
      this.await(
        JSON.parse(name) as string,
        performance.now(),
        this.options.firstWordMs ?? FIRST_WORD_MS,
        kill,
      );
  };

  /** The program has ended. */
  end(): void {
    clearTimeout(this.timer);
  }

  private await(attempt: string, begin: number, at: number, kill: () => void): void {
    const limit = this.options.limitOf(attempt) ?? Number.POSITIVE_INFINITY;
    const look = () => {
      const ms = performance.now() - begin;
      if (ms >= limit) {
        this.expired = attempt;
        kill();
        return;
      }
      this.options.onSlow?.(attempt, ms);
      this.await(attempt, begin, at * 2, kill);
    };
    this.timer = setTimeout(look, Math.max(0, Math.min(at, limit) - (performance.now() - begin)));
  }
}
