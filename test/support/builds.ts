import type { StateRun } from '../../core/release/progress.ts';
import deployMachine from '../../state-machines/deploy.asl.json' with { type: 'json' };

/** Names of the states that start a build of CodeBuild, at whatever depth of the state machine. */
export function buildingStates(node: unknown = deployMachine, name = ''): string[] {
  if (typeof node !== 'object' || node === null) return [];
  if ('Resource' in node && String(node.Resource).includes('codebuild:startBuild')) return [name];
  return Object.entries(node).flatMap(([key, value]) => buildingStates(value, key));
}

/** How many builds of an execution ran one after another: the most of which none began before the one before it had ended. */
export function buildsInSequence(
  runs: readonly StateRun[],
  states: readonly string[] = buildingStates(),
): number {
  const builds = runs
    .filter(({ state }) => states.includes(state))
    .map(({ startedAt, endedAt = Number.POSITIVE_INFINITY }) => ({ startedAt, endedAt }))
    .sort((a, b) => a.endedAt - b.endedAt);
  let count = 0;
  let free = Number.NEGATIVE_INFINITY;
  for (const { startedAt, endedAt } of builds) {
    if (startedAt < free) continue;
    count += 1;
    free = endedAt;
  }
  return count;
}
