import {
  GetAliasCommand,
  type LambdaClient,
  ResourceConflictException,
  ResourceNotFoundException,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import { CALLS_AT_ONCE } from '../../core/release/limits.ts';
import type { LiveAlias } from '../../core/release/snapshot.ts';
import { aliasesIn, type StackAlias, type StackResource } from '../../core/release/stack-resources.ts';
import { type Patience, poll } from './poll.ts';
import { sideBySide } from './side-by-side.ts';
import { untilReady } from './until-ready.ts';

type Alias = Pick<StackAlias, 'functionName' | 'name'>;

/** Where an alias leads. */
type Route = Pick<LiveAlias, 'version' | 'weights'>;

/** Where an alias leads now, or undefined where there is none. */
async function routeOf(lambda: LambdaClient, { functionName, name }: Alias): Promise<Route | undefined> {
  try {
    const { FunctionVersion: version = '', RoutingConfig } = await lambda.send(
      new GetAliasCommand({ FunctionName: functionName, Name: name }),
    );
    return { version, weights: RoutingConfig?.AdditionalVersionWeights ?? {} };
  } catch (error) {
    if (error instanceof ResourceNotFoundException) return undefined;
    throw error;
  }
}

const sorted = (weights: Route['weights']) => JSON.stringify(Object.entries(weights).sort());
const sameRoute = (now: Route | undefined, then: Route) =>
  now?.version === then.version && sorted(now.weights) === sorted(then.weights);

/** All aliases of a stack's functions as they are now. */
export async function liveAliases(
  resources: readonly StackResource[],
  lambda: LambdaClient,
): Promise<LiveAlias[]> {
  const found = await sideBySide(aliasesIn(resources), CALLS_AT_ONCE, async (alias) => {
    const route = await routeOf(lambda, alias);
    return route ? [{ ...alias, ...route }] : [];
  });
  return found.flat();
}

/**
 * Leads an alias somewhere else. Done twice, the second time changes nothing. An update that another one is in the way of is
 * sent again (ResourceConflictException, API reference of UpdateAlias). @param patience for that; as `untilReady`
 */
export async function moveAlias(
  lambda: LambdaClient,
  { functionName, name }: Alias,
  { version, weights }: Route,
  patience?: Patience,
): Promise<void> {
  const update = new UpdateAliasCommand({
    FunctionName: functionName,
    Name: name,
    FunctionVersion: version,
    RoutingConfig: { AdditionalVersionWeights: weights },
  });
  await untilReady(
    () => lambda.send(update),
    (error) => error instanceof ResourceConflictException,
    patience,
  );
}

/**
 * Leads aliases to one version each, and waits until all their traffic is there. Lambda itself splits the traffic of an alias
 * with provisioned concurrency until the new version has its share of that, which may take minutes (hashicorp/terraform#24957:
 * `RoutingConfig` has weights until then). Done again, it goes on to wait.
 * @throws StackBusyError while an alias leads to two versions
 */
export async function settleAliases(
  lambda: LambdaClient,
  aliases: readonly (Alias & { version: string })[],
  patience?: Patience,
): Promise<void> {
  await sideBySide(aliases, CALLS_AT_ONCE, async (alias) => {
    if ((await routeOf(lambda, alias))?.version === alias.version) return;
    await moveAlias(lambda, alias, { version: alias.version, weights: {} }, patience);
  });
  let rest = aliases;
  const look = async () => {
    const still = await sideBySide(rest, CALLS_AT_ONCE, async (alias) => {
      const route = await routeOf(lambda, alias);
      return sameRoute(route, { version: alias.version, weights: {} }) ? [] : [alias];
    });
    rest = still.flat();
    return rest.length === 0 ? true : undefined;
  };
  const names = aliases.map(({ functionName, name }) => `${functionName}:${name}`).join(', ');
  await poll(`Lambda, which leads the traffic of ${names} to the new version,`, look, patience);
}

/** Leads aliases to where they were. An alias that is gone comes back with its stack. @returns how many had moved */
export async function restoreAliases(lambda: LambdaClient, before: readonly LiveAlias[]): Promise<number> {
  const moved = await sideBySide(before, CALLS_AT_ONCE, async (alias) => {
    const now = await routeOf(lambda, alias);
    if (!now || sameRoute(now, alias)) return 0;
    await moveAlias(lambda, alias, alias);
    return 1;
  });
  return moved.reduce<number>((sum, one) => sum + one, 0);
}
