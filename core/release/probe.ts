import { z } from 'zod';
import { BudgetExceededError } from '../errors.ts';
import { sha256 } from '../sha256.ts';
import type { BuildPlan } from './build-plan.ts';
import type { Release } from './release.ts';

/** File that every function carries, so that a probe can import the function's own modules inside Lambda. */
export const PROBE_FILE = 'plimsoll_probe.py';
/** What a probe names as its Handler. */
export const PROBE_HANDLER = 'plimsoll_probe.handler';

/** Name of a temporary function that proves one function of a release: the same for each retry, 64 characters at most. */
export function temporaryName(prefix: string, { id }: Pick<Release, 'id'>, functionName: string): string {
  return `${prefix}${sha256(`${id}/${functionName}`).slice(0, 24)}`;
}

export const probeSchema = z.object({
  function: z.string(),
  /** How many modules were imported, its own and those of its layers. */
  modules: z.int(),
  /** How long its handler's module took to import, with all that this needs: what a cold start pays, in ms. */
  ms: z.number(),
  /** Memory that it had for itself then, in MiB; null where the system does not say. */
  memoryMb: z.number().nullable(),
  /** What it may have, in MiB; null where only the deployment knows. */
  ofMb: z.number().nullable(),
});

/** What a temporary function has shown of one of the project's. */
export type Probe = z.infer<typeof probeSchema>;

type Budgets = BuildPlan['budgets'];

/** Whether it takes longer to start than a budget that somebody wrote allows. */
export const isTooSlow = ({ ms }: Probe, { coldStart, byDefault }: Budgets): boolean =>
  ms >= coldStart && !byDefault.includes('coldStart');

/** A remark on a start that takes longer than the default budget, for people; none where somebody wrote another. */
export const remarksOnStart = ({ function: name, ms }: Probe, { coldStart, byDefault }: Budgets): string[] =>
  ms >= coldStart && byDefault.includes('coldStart')
    ? [
        `Note: function ${name} takes ${Math.round(ms)} ms to import its handler in Lambda, the default budget is ${coldStart} ms. See which imports cost most: plimsoll layers optimize; or set your own in plimsoll.yaml: budgets.coldStart.`,
      ]
    : [];

/** @throws BudgetExceededError naming the function, what its start takes and what it may take */
export function refuseHeavyStart(probe: Probe, budgets: Budgets): void {
  const { function: name, ms, memoryMb, ofMb } = probe;
  if (memoryMb !== null && ofMb !== null && memoryMb >= ofMb)
    throw new BudgetExceededError(
      `function ${name}: once its handler is imported it has ${memoryMb} MB, and it may have ${ofMb} MB: Lambda would kill it. Raise its MemorySize in template.yaml.`,
    );
  if (isTooSlow(probe, budgets))
    throw new BudgetExceededError(
      `function ${name}: its handler takes ${Math.round(ms)} ms to import in Lambda, its budget is ${budgets.coldStart} ms. See which imports cost most: plimsoll layers optimize; or raise the budget in plimsoll.yaml: budgets.coldStart.`,
    );
}
