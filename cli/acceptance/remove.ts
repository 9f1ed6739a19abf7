import { setTimeout as sleep } from 'node:timers/promises';
import { BatchDeleteBuildsCommand, paginateListBuildsForProject } from '@aws-sdk/client-codebuild';
import { paginateListExecutions, StopExecutionCommand } from '@aws-sdk/client-sfn';
import { messageOf } from '../../core/errors.ts';
import { PipelineClient } from '../pipeline-client.ts';
import type { Clients } from './clients.ts';
import type { Kind } from './kind.ts';
import { kindsOf } from './kinds.ts';
import { belongsTo, exampleStackOf } from './name.ts';

/** What is still there of an acceptance. */
export interface Leftover {
  what: string;
  ids: string[];
}

export interface Removal {
  /** How many resources were removed, by kind; stacks count as one each. */
  removed: Map<string, number>;
  /** What could not be removed, or was not to be listed, each with its reason. */
  failures: string[];
  left: Leftover[];
}

/** A rollback that has begun may take so long until it is stopped, in ms. */
const ROLLBACK_MS = 15 * 60_000;
/** Within so long the rule starts a rollback, in ms. */
const RULE_MS = 30_000;
/** S3, SQS and IAM may list for a while what is gone (their developer guides: a minute for queues), in ms. */
const LISTS_SETTLE_MS = 120_000;

async function running({ sfn }: Clients, stateMachineArn: string): Promise<string[]> {
  const found: string[] = [];
  const pages = paginateListExecutions({ client: sfn }, { stateMachineArn, statusFilter: 'RUNNING' });
  for await (const { executions = [] } of pages)
    found.push(...executions.flatMap(({ executionArn }) => executionArn ?? []));
  return found;
}

async function stopAll(clients: Clients, stateMachineArn: string): Promise<void> {
  for (const executionArn of await running(clients, stateMachineArn))
    await clients.sfn.send(
      new StopExecutionCommand({ executionArn, cause: 'the acceptance removes everything' }),
    );
}

/** Ends what runs, so that nothing is made while everything is removed. */
async function quiet(clients: Clients, name: string, tell: (line: string) => void): Promise<void> {
  const pipeline = await PipelineClient.find(name).catch(() => undefined);
  if (!pipeline) return;
  await stopAll(clients, pipeline.outputs.DeployMachine);
  // A rule rolls back what was stopped; deleted in its midst, a stack would be harder to remove.
  const until = Date.now() + ROLLBACK_MS;
  let busyAt = Date.now();
  while (Date.now() < until && (await pipeline.isLocked(exampleStackOf(name)))) {
    if ((await running(clients, pipeline.outputs.RollbackMachine)).length > 0) busyAt = Date.now();
    // A rollback that failed keeps the lock, for a person to look.
    else if (Date.now() - busyAt > RULE_MS) break;
    tell('waiting for the rollback of what was stopped');
    await sleep(1000);
  }
  await stopAll(clients, pipeline.outputs.RollbackMachine);
}

/** CodeBuild keeps the builds of a deleted project (API reference, DeleteProject). */
async function deleteBuilds({ codebuild }: Clients, projects: readonly string[]): Promise<void> {
  for (const projectName of projects) {
    const pages = paginateListBuildsForProject({ client: codebuild }, { projectName });
    for await (const { ids = [] } of pages)
      if (ids.length > 0) await codebuild.send(new BatchDeleteBuildsCommand({ ids }));
  }
}

/** What is there, of every kind; and of which kinds nobody may say. */
async function listLeft(
  kinds: readonly Kind[],
  name: string,
): Promise<{ left: Leftover[]; failures: string[] }> {
  const failures: string[] = [];
  const found = await Promise.all(
    kinds.map(async ({ what, list }) => {
      const ids = await list(name).catch((error: unknown) => {
        failures.push(`looking for ${what}: ${messageOf(error).split('\n')[0]}`);
        return [];
      });
      return { what, ids };
    }),
  );
  return { left: found.filter(({ ids }) => ids.length > 0), failures };
}

/**
 * Removes everything that an acceptance has made, as far as it came, and looks whether something is left. What cannot be
 * removed is told, and the rest removed all the same. Can be called again at any time.
 */
export async function removeAll(
  name: string,
  clients: Clients,
  tell: (line: string) => void,
): Promise<Removal> {
  const kinds = kindsOf(clients);
  const removed = new Map<string, number>();
  const failures: string[] = [];
  const attempt = async (what: string, act: () => Promise<void>): Promise<boolean> => {
    tell(what);
    return act().then(
      () => true,
      (error: unknown) => {
        failures.push(`${what}: ${messageOf(error).split('\n')[0]}`);
        return false;
      },
    );
  };
  await attempt('stopping what runs', () => quiet(clients, name, tell));
  await attempt('deleting the records of builds', async () => {
    const projects = await kinds.find(({ what }) => what === 'build projects')?.list(name);
    await deleteBuilds(
      clients,
      (projects ?? []).filter((one) => belongsTo(name, one)),
    );
  });
  const removeKinds = async () => {
    for (const { what, list, remove } of kinds) {
      if (!remove) continue;
      let ids: string[] = [];
      await attempt(`looking for ${what}`, async () => {
        ids = await list(name);
      });
      for (const id of ids)
        if (await attempt(`removing ${what}: ${id}`, () => remove(id)))
          removed.set(what, (removed.get(what) ?? 0) + 1);
    }
  };
  await removeKinds();
  if (failures.length > 0) {
    // Once more: what failed may have needed something that is gone by now, or have been gone itself.
    failures.length = 0;
    await removeKinds();
  }
  tell('looking for what is left');
  const until = Date.now() + LISTS_SETTLE_MS;
  for (;;) {
    const last = await listLeft(kinds, name);
    const isSettled = last.left.length === 0 || failures.length > 0 || Date.now() > until;
    if (isSettled) return { removed, failures: [...failures, ...last.failures], left: last.left };
    await sleep(2000);
  }
}
