import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { z } from 'zod';
import { ChangeSetFailedError } from '../core/errors.ts';
import { heldSchema } from '../core/release/hold.ts';
import { releaseSchema } from '../core/release/release.ts';
import { versionsOf } from '../core/release/stack-resources.ts';
import { moveAlias } from './lib/aliases.ts';
import { lambdaHandler } from './lib/handler.ts';
import { allStackResources } from './lib/stack.ts';
import { StackLock } from './lib/stack-lock.ts';

const inputSchema = z.object({
  release: releaseSchema,
  /** ARN of the execution that releases the stack. */
  execution: z.string(),
  held: z.array(heldSchema),
  percent: z.int().min(1).max(100),
  /** How long the alarms are watched from now on. */
  bakeSeconds: z.int().min(0),
});

interface Clients {
  cloudformation: CloudFormationClient;
  lambda: LambdaClient;
  lock: StackLock;
}

interface Output {
  /** ISO time until which the alarms are watched. */
  until: string;
}

/**
 * Leads a share of the traffic of each held alias to its function's new version; all of it at 100 percent.
 * @throws StackLockedError where the release was stopped meanwhile, and is another execution's to bring back
 */
export async function shiftTraffic(
  { release, execution, held, percent, bakeSeconds }: z.output<typeof inputSchema>,
  { cloudformation, lambda, lock }: Clients,
): Promise<Output> {
  const begin = Date.now();
  const versions = versionsOf(await allStackResources(cloudformation, release.stackName));
  await lock.refuseStopped(release, execution);
  await Promise.all(
    held.map((one) => {
      const version = versions.get(one.version);
      if (version === undefined)
        throw new ChangeSetFailedError(`stack ${release.stackName} has no version ${one.version}`);
      return moveAlias(
        lambda,
        one,
        percent === 100
          ? { version, weights: {} }
          : { version: one.from, weights: { [version]: percent / 100 } },
      );
    }),
  );
  return { until: new Date(begin + bakeSeconds * 1000).toISOString() };
}

export const handler = lambdaHandler('ShiftTraffic', inputSchema, (input) =>
  shiftTraffic(input, {
    cloudformation: new CloudFormationClient(),
    lambda: new LambdaClient(),
    lock: StackLock.ofPipeline(),
  }),
);
