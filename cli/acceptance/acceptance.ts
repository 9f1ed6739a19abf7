import { openClients } from './clients.ts';
import type { Cost } from './cost.ts';
import { acceptanceCost } from './cost.ts';
import { EXAMPLE, type Place } from './places.ts';
import { type Removal, removeAll } from './remove.ts';
import { Interrupted, type Result, runSteps } from './steps.ts';

/** What is told of an acceptance while it runs. */
export interface Listener {
  begin(step: string): void;
  tell(line: string): void;
}

export interface Outcome {
  name: string;
  cost: Cost;
  results: Result[];
  removal: Removal;
  removalMs: number;
  wasInterrupted: boolean;
}

/** Installs, releases, looks, and removes everything, however far it came. */
export async function accept(
  name: string,
  place: Place,
  { signal, json }: { signal: AbortSignal; json: boolean },
  { begin, tell }: Listener,
): Promise<Outcome> {
  const clients = openClients();
  const results: Result[] = [];
  const setting = {
    name,
    example: EXAMPLE,
    clients,
    install: (aborted: AbortSignal) => place.install(name, aborted),
    reachable: (url: string) => place.reachable(url),
    signal,
    json,
  };
  // Whatever has happened, everything is removed first.
  const thrown = await runSteps(setting, results, begin).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  begin('Remove everything');
  const start = performance.now();
  const removal = await removeAll(name, clients, tell);
  const removalMs = Math.round(performance.now() - start);
  const wasInterrupted = thrown?.error instanceof Interrupted;
  if (thrown && !wasInterrupted) throw thrown.error;
  return { name, cost: acceptanceCost(), results, removal, removalMs, wasInterrupted };
}
