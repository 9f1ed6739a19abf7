import { get } from './aws.ts';

/** How often each answer came, as `status version`. */
export type Seen = Record<string, number>;

/** Calls GET /hello of a stack without pause until it is stopped. */
export function callWithoutPause(stackName: string): { seen: Seen; stop(): Promise<Seen> } {
  const seen: Seen = {};
  let running = true;
  const loop = async () => {
    while (running) {
      const answer = await get(stackName, '/hello').catch((error: Error) => ({
        status: 0,
        body: { version: error.message },
      }));
      const what = `${answer.status} ${(answer.body as { version?: unknown })?.version}`;
      seen[what] = (seen[what] ?? 0) + 1;
    }
  };
  const done = Promise.all([loop(), loop()]);
  return {
    seen,
    stop: async () => {
      running = false;
      await done;
      return seen;
    },
  };
}
