import {
  GetAliasCommand,
  type LambdaClient,
  ResourceNotFoundException,
  UpdateAliasCommand,
} from '@aws-sdk/client-lambda';
import { CALLS_AT_ONCE } from '../../core/release/limits.ts';
import type { LiveAlias } from '../../core/release/snapshot.ts';
import { aliasesIn, type StackAlias, type StackResource } from '../../core/release/stack-resources.ts';
import { sideBySide } from './side-by-side.ts';

/** Where an alias leads. */
type Route = Pick<LiveAlias, 'version' | 'weights'>;

/** Where an alias leads now, or undefined where there is none. */
async function routeOf(
  lambda: LambdaClient,
  { functionName, name }: Pick<StackAlias, 'functionName' | 'name'>,
): Promise<Route | undefined> {
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

/** Leads an alias somewhere else, at once for all that calls it. Done twice, the second time changes nothing. */
export async function moveAlias(
  lambda: LambdaClient,
  { functionName, name }: Pick<StackAlias, 'functionName' | 'name'>,
  { version, weights }: Route,
): Promise<void> {
  await lambda.send(
    new UpdateAliasCommand({
      FunctionName: functionName,
      Name: name,
      FunctionVersion: version,
      RoutingConfig: { AdditionalVersionWeights: weights },
    }),
  );
}

const sorted = (weights: Route['weights']) => JSON.stringify(Object.entries(weights).sort());

/** Leads aliases back to where they were. An alias that is gone comes back with its stack. @returns how many had moved */
export async function restoreAliases(lambda: LambdaClient, before: readonly LiveAlias[]): Promise<number> {
  const moved = await sideBySide(before, CALLS_AT_ONCE, async (alias) => {
    const now = await routeOf(lambda, alias);
    if (!now || (now.version === alias.version && sorted(now.weights) === sorted(alias.weights))) return 0;
    await moveAlias(lambda, alias, alias);
    return 1;
  });
  return moved.reduce<number>((sum, one) => sum + one, 0);
}
